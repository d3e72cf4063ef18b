"""The order producer, on a list as sink and a clock moved by hand, and once through a real broker."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from deploy.local import LocalKafka
from producers.account import TransactionKafkaProducer, send_batch_to_kafka
from producers.clock import ManualClock
from producers.orders import TransactionProducer
from producers.schema import load_schema
from producers.sinks.memory import MemorySink
from tests.producers.conftest import START_MS
from tests.producers.test_kafka_sink import read_all


def test_orders_are_stamped_now_keyed_by_user_and_valid() -> None:
    sink, clock = MemorySink(), ManualClock(START_MS)
    producer = TransactionProducer(generation_rate=3_600, sink=sink, clock=clock, seed=1)
    order = producer.generate_message()
    assert order["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert producer.get_message_key(order) == order["user_id"]
    assert producer.validate_message(order) == load_schema("order").faults(order) == []
    assert producer.validate_message(order | {"quantity": 0}) == ["quantity: 0 is below 1"]


def test_orders_come_at_the_pace_of_the_local_hour() -> None:
    noon = int(datetime(2024, 5, 15, 12, tzinfo=UTC).timestamp() * 1000)
    sent = {}
    for zone in ("UTC", "Asia/Tokyo"):
        producer = TransactionProducer(
            generation_rate=3_600, sink=MemorySink(), clock=ManualClock(noon), zone=zone, seed=1
        )
        sent[zone] = producer.run_continuous(600)
    assert sent == {"UTC": pytest.approx(1_200, abs=2), "Asia/Tokyo": pytest.approx(600, abs=2)}


def test_order_ids_count_on_and_carry_the_day() -> None:
    producer = TransactionProducer(sink=MemorySink(), clock=ManualClock(START_MS), seed=1)
    first, second = (producer.generate_message()["transaction_id"] for _ in range(2))
    assert first.startswith("txn_20231114_")
    assert int(second[-9:]) == int(first[-9:]) + 1


def test_unseeded_order_producers_differ() -> None:
    orders = [
        TransactionProducer(sink=MemorySink(), clock=ManualClock(START_MS + run)).generate_message() for run in range(2)
    ]
    assert orders[0]["transaction_id"] != orders[1]["transaction_id"]


def test_producers_without_servers_connect_to_kafka_servers(
    kafka_broker: LocalKafka, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = unique("anything")
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    with TransactionProducer(topic=topic, generation_rate=0) as orders:
        assert orders.run_continuous(max_messages=2) == 2
    with TransactionKafkaProducer(topic=topic) as accounts:
        assert accounts.send_batch(count=3) == 3
    assert send_batch_to_kafka(count=4, topic=topic) == 4
    values = [
        json.loads(value or b"") for found in read_all(kafka_broker.servers, topic).values() for _, value in found
    ]
    assert Counter("product_id" in value for value in values) == {True: 2, False: 7}
