"""Account activity: paced on a clock moved by hand, and once through a real broker."""

import json
from collections.abc import Callable

import pytest

from deploy.local import LocalKafka
from producers.account import TransactionKafkaProducer, send_batch_to_kafka, stream_to_kafka
from producers.clock import ManualClock
from producers.records import parse_ms
from producers.sinks.memory import MemorySink
from tests.producers.conftest import START_MS
from tests.producers.test_kafka_sink import read_all
from tests.reference import BY_TOPIC
from twinstream.errors import UserError


class Interrupting(MemorySink):
    """Ctrl-C at the fourth message."""

    def send(self, message: object) -> None:
        if len(self.messages) == 3:
            raise KeyboardInterrupt
        super().send(message)  # type: ignore[arg-type]


def producer(sink: MemorySink | None = None) -> tuple[TransactionKafkaProducer, MemorySink]:
    sink = sink or MemorySink()
    return TransactionKafkaProducer(sink=sink, clock=ManualClock(START_MS), seed=1), sink


def test_stream_holds_its_rate_and_ends_after_its_duration() -> None:
    made, sink = producer()
    assert made.stream_transactions(10, 6) == 60
    assert len(sink.messages) == 60
    times = [parse_ms(json.loads(message.value or b"")["event_time"]) for message in sink.messages]
    assert times[0] == START_MS + 50
    assert times[-1] == START_MS + 5_950


def test_short_keywords_mean_the_same() -> None:
    made, _ = producer()
    assert made.stream_transactions(tps=5, duration=2) == 10
    assert made.stream_transactions(tps=5, count=7) == 7
    assert made.stream_transactions(5, None, max_transactions=4) == 4


def test_account_activity_is_of_one_account_within_its_window() -> None:
    made, sink = producer()
    assert made.stream_account_activity("ACC-00000007", 10, 5, False) == 10
    records = [json.loads(message.value or b"") for message in sink.messages]
    assert {record["account_id"] for record in records} == {"ACC-00000007"}
    times = [parse_ms(record["event_time"]) for record in records]
    assert times == sorted(times)
    assert times[-1] - START_MS <= 5 * 60_000


def test_speed_scales_account_activity() -> None:
    made, _ = producer()
    made.stream_account_activity("ACC-00000007", count=10, time_window_minutes=60, speed=60)
    assert made.clock.monotonic() <= 60


def test_velocity_fraud_comes_at_once_at_the_end() -> None:
    made, sink = producer()
    made.stream_account_activity("ACC-00000007", 12, 5, include_velocity_fraud=True)
    records = [json.loads(message.value or b"") for message in sink.messages]
    assert [record["label_fraud"] for record in records] == [False] * 7 + [True] * 5
    times = [parse_ms(record["event_time"]) for record in records]
    assert times[-1] - times[-5] < 1_000


def test_one_transaction_is_sent_by_position_and_by_name() -> None:
    made, sink = producer()
    transaction = made.transaction_generator.generate_transaction()
    assert made.send_transaction(transaction)
    assert made.send_transaction(transaction=transaction)
    assert [json.loads(message.value or b"") for message in sink.messages] == [transaction, transaction]


def test_wrong_speed_is_one_line() -> None:
    made, _ = producer()
    with pytest.raises(UserError, match="The speed is 0; expected a number above 0"):
        made.stream_account_activity("ACC-00000007", speed=0)


def test_interrupt_flushes_and_counts() -> None:
    made, _ = producer(Interrupting())
    assert made.stream_transactions(10, 60) == 3
    assert made.get_metrics()["messages_sent"] == 3


def test_invalid_transaction_is_refused_and_counted() -> None:
    made, sink = producer()
    transaction = made.transaction_generator.generate_transaction()
    assert made.send_transaction(transaction)
    transaction["latitude"] = 91.0
    assert not made.send_transaction(transaction)
    assert (made.get_metrics()["messages_failed"], len(sink.messages)) == (1, 1)


def test_batches_and_streams_reach_kafka_keyed_by_card(kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    topic = unique("accounts")
    assert send_batch_to_kafka(25, 0.2, kafka_broker.servers, topic) == 25
    assert stream_to_kafka(200, 30, 0.2, kafka_broker.servers, topic, count=15) == 15
    with TransactionKafkaProducer(kafka_broker.servers, topic) as made:
        assert made.send_transaction(made.transaction_generator.generate_transaction())
    records = [record for found in read_all(kafka_broker.servers, topic).values() for record in found]
    assert len(records) == 41
    decode = BY_TOPIC["transactions"].decode
    for key, value in records:
        assert decode(value, 0)[0].encode() == key
