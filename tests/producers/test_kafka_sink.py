"""The Kafka sink against a real broker."""

from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.local import LocalKafka
from producers.position import first_free_ms, newest_event_ms
from producers.profiles import make_profile
from producers.records import Message, encode
from producers.sinks.kafka import KafkaSink, ensure_topic, open_producer
from tests.producers.conftest import START_MS
from twinstream.errors import UserError
from twinstream.local.ports import free_port
from twinstream.settings import load_settings


def read_all(servers: str, topic: str) -> dict[int, list[tuple[bytes | None, bytes | None]]]:
    """Every record of a topic by partition, in order."""
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, max_partition_fetch_bytes=20_000_000)
    found: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
    for number in consumer.partitions_for_topic(topic) or ():
        partition = TopicPartition(topic, number)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        end = consumer.end_offsets([partition])[partition]
        found[number] = []
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=1_000).values():
                found[number] += [(record.key, record.value) for record in records]
    consumer.close()
    return found


def test_messages_of_one_key_arrive_in_order_in_one_partition(
    kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("sink")
    sink = KafkaSink(open_producer(kafka_broker.servers), topic)
    ensure_topic(kafka_broker.servers, topic)
    for number in range(5_000):
        sink.send(Message(f"card_{number % 7}", b"%d" % number))
    sink.close()
    sink.close()
    assert (sink.delivery.sent, sink.delivery.failed) == (5_000, 0)
    partitions = read_all(kafka_broker.servers, topic)
    assert sum(map(len, partitions.values())) == 5_000
    for records in partitions.values():
        for key in {key for key, _ in records}:
            numbers = [int(value or b"") for found, value in records if found == key]
            assert numbers == sorted(numbers)


def test_null_empty_and_sixteen_megabyte_values_get_through(
    kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("sink")
    ensure_topic(kafka_broker.servers, topic)
    sink = KafkaSink(open_producer(kafka_broker.servers, {"compression_type": None}), topic)
    values = [None, b"", b"x" * (16 * 1024 * 1024)]
    for value in values:
        sink.send(Message("k", value))
    sink.close()
    (records,) = [found for found in read_all(kafka_broker.servers, topic).values() if found]
    assert [value for _, value in records] == values


def test_message_too_large_for_the_topic_is_counted_as_failed(
    kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("sink")
    ensure_topic(kafka_broker.servers, topic)
    sink = KafkaSink(open_producer(kafka_broker.servers), topic)
    sink.send(Message("k", b"x" * (18 * 1024 * 1024)))
    sink.send(Message("k", b"fits"))
    sink.close()
    assert (sink.delivery.sent, sink.delivery.failed) == (1, 1)


def test_sending_waits_while_too_much_is_unacknowledged(
    kafka_broker: LocalKafka, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producers.sinks.kafka.IN_FLIGHT_CHECK", 10)
    monkeypatch.setattr("producers.sinks.kafka.MAX_UNACKNOWLEDGED", 50)
    topic = unique("sink")
    ensure_topic(kafka_broker.servers, topic)
    sink = KafkaSink(open_producer(kafka_broker.servers), topic)
    for number in range(500):
        sink.send(Message("k", b"%d" % number))
    sink.flush()
    assert sink.delivery.sent == 500
    sink.close()


def test_absent_broker_is_one_line_with_the_remedy() -> None:
    servers = f"localhost:{free_port()}"
    with pytest.raises(
        UserError,
        match=rf'Kafka does not answer at {servers}: nothing listens there \(KAFKA_SERVERS\)\. Start it with "make up"',
    ):
        open_producer(servers)


def test_unknown_client_option_is_ignored(kafka_broker: LocalKafka) -> None:
    open_producer(kafka_broker.servers, {"buffer_memory": 33_554_432, "linger_ms": 5}).close()


def test_wrong_client_option_is_one_line(kafka_broker: LocalKafka) -> None:
    with pytest.raises(UserError, match="The Kafka client refuses its options"):
        open_producer(kafka_broker.servers, {"compression_type": "stone"})


def test_newest_event_is_found_behind_bad_and_future_records(
    kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("position")
    settings = load_settings(kafka_servers=kafka_broker.servers)
    ensure_topic(settings, topic)
    assert newest_event_ms(settings, topic, "clickstream") is None
    assert first_free_ms(settings, topic, "clickstream", START_MS) == 0
    clicks = make_profile("clicks", 1)
    sink = KafkaSink(open_producer(settings), topic)
    good = [clicks.record(START_MS + number) for number in range(20)]
    for click in good:
        sink.send(Message("user", encode(click)))
    sink.send(Message("user", encode(good[0] | {"event_time": "2999-01-01T00:00:00Z"})))
    for _ in range(1_000):
        sink.send(Message("user", b"not json"))
    sink.flush()
    assert newest_event_ms(settings, topic, "clickstream") == START_MS + 19
    assert first_free_ms(settings, topic, "clickstream", START_MS + 5) == START_MS + 20
    sink.close()


def test_position_of_a_topic_without_broker_is_one_line() -> None:
    with pytest.raises(UserError, match="Kafka does not answer"):
        newest_event_ms(load_settings(kafka_servers=f"localhost:{free_port()}"), "orders")
