"""Comparing two runs: what counts as a difference, and what the command says of it."""

from collections.abc import Callable, Sequence

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from deploy.local import LocalKafka, LocalRedis
from tests.reference import REGISTRY
from twinstream.audit.comparing import compare
from twinstream.cli import app
from twinstream.errors import UserError
from twinstream.log.topics import ensure_topics

Rows = Sequence[tuple[str, bytes]]
ONE, TWO = ("t-0@1", b'{"a":1}'), ("t-0@2", b'{"a":2}')


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([ONE, TWO], [ONE, TWO], (2, 0, 0, 0)),
        ([ONE, TWO], [TWO, ONE], (2, 0, 0, 0)),
        ([ONE, TWO], [ONE], (1, 1, 0, 0)),
        ([ONE], [ONE, TWO], (1, 0, 1, 0)),
        ([ONE], [ONE, ONE], (1, 0, 1, 0)),
        ([ONE, ONE], [ONE], (1, 1, 0, 0)),
        ([ONE], [("t-0@1", b'{"a": 1}')], (1, 0, 0, 1)),
    ],
    ids=["equal", "in another order", "missing", "extra", "twice on the right", "twice on the left", "other bytes"],
)
def test_rows_are_paired_by_where_they_come_from(left: Rows, right: Rows, expected: tuple[int, ...]) -> None:
    result = compare("log", left, right)
    assert (result.compared, result.missing, result.extra, result.different) == expected
    assert result.same == (not any(expected[1:]))


def test_a_difference_names_the_fields() -> None:
    left = b'{"entity":"c1","features":{"txn_count":1,"amount_sum":2.5}}'
    result = compare("log", [("t-0@1", left)], [("t-0@1", left.replace(b"2.5", b"2.6"))])
    assert result.shown == ["t-0@1: amount_sum 2.5 / 2.6"]


def test_only_the_first_differences_are_shown() -> None:
    result = compare("log", [(f"t-0@{number}", b"") for number in range(100)], [])
    assert (result.missing, len(result.shown)) == (100, 5)


@pytest.fixture
def parity(
    kafka_broker: LocalKafka, redis_server: LocalRedis, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[bytes, bytes], tuple[int, str]]:
    """Writes one feature record for each of two runs, and compares them by the command."""
    left, right = f"{unique('left')}.", f"{unique('right')}."
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(redis_server.port))

    def command(one: bytes, other: bytes) -> tuple[int, str]:
        producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
        for prefix, value in ((left, one), (right, other)):
            ensure_topics(kafka_broker.servers, REGISTRY, prefix)
            if value:
                producer.send(f"{prefix}features.order", value).get(10)
        producer.close()
        outcome = CliRunner().invoke(app, ["parity", "--left", left, "--right", right])
        if isinstance(outcome.exception, UserError):
            return 2, str(outcome.exception)
        return outcome.exit_code, outcome.output

    return command


def _record(count: int) -> bytes:
    return b'{"topic":"orders","partition":0,"offset":7,"features":{"txn_count":%d}}' % count


def test_equal_runs_exit_with_0(parity: Callable[[bytes, bytes], tuple[int, str]]) -> None:
    assert parity(_record(1), _record(1))[0] == 0


def test_different_runs_exit_with_1_and_show_the_difference(parity: Callable[[bytes, bytes], tuple[int, str]]) -> None:
    code, said = parity(_record(1), _record(2))
    assert code == 1
    assert "orders-0@7" in said
    assert "txn_count 1 / 2" in said


def test_an_empty_run_exits_with_2(parity: Callable[[bytes, bytes], tuple[int, str]]) -> None:
    code, said = parity(_record(1), b"")
    assert code == 2
    assert "has written nothing" in said
