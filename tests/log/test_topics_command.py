"""`twinstream topics`: what is missing is created, and everything is listed."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from deploy.local import LocalKafka
from tests.reference import REGISTRY
from twinstream.cli import app
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
