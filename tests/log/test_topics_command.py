"""`twinstream topics`: what is missing is created, and everything is listed."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from deploy.local import LocalKafka
from tests.reference import REGISTRY, TOGETHER
from twinstream.cli import app
from twinstream.definitions import load_registry
from twinstream.log.listing import as_table
from twinstream.log.topics import output_topics


def test_missing_topics_are_created_once_and_all_are_listed(
    kafka_broker: LocalKafka, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = unique("listed") + "."
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    monkeypatch.setenv("OUTPUT_PREFIX", prefix)
    first, second = (CliRunner().invoke(app, ["topics"], env={"COLUMNS": "120"}).output for _ in range(2))
    for topic in output_topics(REGISTRY, prefix):
        (line,) = [line for line in first.splitlines() if line.split()[:1] == [topic.name]]
        assert line.split()[-1] == "new"
    assert f"{prefix}orders.dlq" in second
    assert "dead letters of order" in second
    assert "new" not in second.split()


def test_a_topic_that_several_groups_read_is_listed_once_with_all_of_them() -> None:
    table = as_table(load_registry(TOGETHER), "", {}, ())
    assert list(zip(table.columns[0].cells, table.columns[2].cells, strict=True)) == [
        ("transactions", "source of transaction, spending, domestic"),
        ("features.transaction", "feature log of transaction"),
        ("features.spending", "feature log of spending"),
        ("features.domestic", "feature log of domestic"),
        ("transactions.dlq", "dead letters of transaction, spending, domestic"),
    ]
