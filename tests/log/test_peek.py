"""`peek`: records of any topic, whatever is in them, shown to a person and to a program."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from deploy.local import LocalKafka
from tests.topics import until_decided
from twinstream.cli import app
from twinstream.log.kafka.newest_and_oldest import FullRecord
from twinstream.log.peek import as_lines
from twinstream.terminal import Terminal

Send = Callable[..., None]


@pytest.fixture
def peek(kafka_broker: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs the command and returns what it prints."""
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    monkeypatch.setenv("COLUMNS", "80")

    def run(topic: str, *arguments: str) -> str:
        until_decided(kafka_broker.servers, topic)
        outcome = CliRunner().invoke(app, ["peek", topic, *arguments], catch_exceptions=False)
        assert outcome.exit_code == 0
        return outcome.output

    return run


@pytest.fixture
def producer(kafka_broker: LocalKafka) -> Any:
    with KafkaProducer(
        bootstrap_servers=kafka_broker.servers, transactional_id="peek", compression_type="gzip"
    ) as made:
        made.init_transactions()
        yield made


def send(producer: Any, topic: str, *values: bytes | None, **options: Any) -> None:
    """In a transaction of its own: its marker takes an offset, too."""
    producer.begin_transaction()
    for value in values:
        producer.send(topic, value, **options)
    producer.commit_transaction()


def rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_last_and_first_records_of_all_partitions_in_the_order_of_their_times(
    peek: Callable[..., str], producer: Any, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=2, message_timestamp_type="CreateTime")
    for number in range(20):
        send(producer, topic, b"%d" % number, partition=number % 2, timestamp_ms=1_700_000_000_000 + number)
    producer.begin_transaction()
    producer.send(topic, b"aborted", partition=0)
    producer.abort_transaction()
    assert [row["value"] for row in rows(peek(topic, "--last", "5", "--json"))] == ["15", "16", "17", "18", "19"]
    assert [row["value"] for row in rows(peek(topic, "--first", "3", "--json"))] == ["0", "1", "2"]
    assert [row["value"] for row in rows(peek(topic, "--json"))] == [str(number) for number in range(10, 20)]
    assert len(rows(peek(topic, "--last", "1000", "--json"))) == 20


def test_a_record_is_shown_with_place_time_key_headers_and_value(
    peek: Callable[..., str], producer: Any, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=1, message_timestamp_type="CreateTime")
    send(
        producer, topic, '{"city": "São Paulo"}'.encode(), key=b"card_1", timestamp_ms=1_772_366_400_250,
        headers=[("trace", b"abc")],
    )  # fmt: skip
    assert peek(topic) == (
        f"{topic}-0@0  22 bytes, key card_1\n  2026-03-01T12:00:00.250Z by its producer's clock\n"
        "  header trace: abc\n"
        '  {"city": "São Paulo"}\n\n'
    )
    (row,) = rows(peek(topic, "--json"))
    assert row | {"topic": ""} == {
        "topic": "", "partition": 0, "offset": 0, "timestamp": 1_772_366_400_250, "timestamp_of": "producer",
        "key": "card_1", "headers": [["trace", "abc"]], "value": '{"city": "São Paulo"}',
    }  # fmt: skip


def test_hostile_binary_and_huge_records_are_written_out_and_cut(
    peek: Callable[..., str], producer: Any, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=1)
    send(producer, topic, b"[/red]\x1b[2J\r\n\x00\xff", key=b"\x1b]0;title\x07")
    send(producer, topic, None, b"", "ü".encode() * 400_001, key=b"k")
    shown = peek(topic)
    assert all(each.isprintable() or each == "\n" for each in shown)
    assert "  [/red]\\x1b[2J\\r\\n\\x00\\xff\n" in shown
    assert "key \\x1b]0;title\\x07\n" in shown
    assert "null, key k\n" in shown
    assert "  0 bytes, key k\n" in shown
    assert "ü … 798,002 more bytes\n" in shown
    assert len(shown) < 5_000
    binary, null, empty, huge = rows(peek(topic, "--json"))
    assert base64.b64decode(binary["value"]["base64"]) == b"[/red]\x1b[2J\r\n\x00\xff"
    assert (null["value"], empty["value"], len(huge["value"])) == (None, "", 400_001)


def test_names_of_headers_and_times_may_be_anything(capsys: pytest.CaptureFixture[str]) -> None:
    record = FullRecord("t", 0, 7, 2**62, None, b"x", headers=((b"\xff[/]", b"\xfe"), (b"a", None)))
    for line in as_lines(record):
        Terminal().say(line)
    assert capsys.readouterr().out == (
        f"t-0@7  1 byte, no key\n  {2**62} ms by the broker's clock\n"
        "  header \\xff[/]: \\xfe\n  header a: null\n  x\n\n"
    )


def test_topic_that_is_empty_or_absent_is_one_line(
    kafka_broker: LocalKafka, new_topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    topic = new_topic()
    assert CliRunner().invoke(app, ["peek", topic]).output == f"{topic} has no records.\n"
    error = CliRunner().invoke(app, ["peek", "absent"]).exception
    assert str(error).startswith("Kafka has no topic absent. It has: ")
    assert topic in str(error)
    both = CliRunner().invoke(app, ["peek", topic, "--first", "1", "--last", "1"]).exception
    assert str(both) == "Give --first or --last, not both."
