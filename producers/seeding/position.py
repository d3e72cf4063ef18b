"""Where a topic stands: the newest event time in it, read from the end of its partitions."""

from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from features.errors import Rejected
from features.groups import BY_TOPIC
from producers.sinks.kafka import no_answer
from runtime.errors import UserError
from runtime.kafka.options import READER_OPTIONS, connection_options
from runtime.settings import Settings

TAIL_RECORDS = 300


def newest_event_ms(settings: Settings, topic: str, group: str | None = None) -> int | None:
    """The newest event time (epoch ms) at the end of the topic, or None if nothing valid is there.

    Records that do not decode, and those that are ahead of their Kafka timestamp by more than the allowed skew, do not
    count, as they do not count for the lateness rule. The tail is read further back until it holds a valid record.
    """
    decode = BY_TOPIC[group or topic].decode
    try:
        consumer = KafkaConsumer(**connection_options(settings), **READER_OPTIONS, group_id=None)
    except KafkaError:
        raise UserError(no_answer(settings)) from None
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        times = [_newest(consumer, partition, decode, settings.max_future_skew_ms) for partition in partitions]
    finally:
        consumer.close()
    return max((time for time in times if time is not None), default=None)


def _newest(consumer: Any, partition: TopicPartition, decode: Any, skew_ms: int) -> int | None:
    first = consumer.beginning_offsets([partition])[partition]
    end = consumer.end_offsets([partition])[partition]
    tail = TAIL_RECORDS
    while end > first:
        start = max(first, end - tail)
        times = [
            event_ms
            for record in _read(consumer, partition, start, end)
            if (event_ms := _event_ms(record, decode)) is not None and event_ms - record.timestamp <= skew_ms
        ]
        if times or start == first:
            return max(times, default=None)
        end, tail = start, tail * 10
    return None


def _read(consumer: Any, partition: TopicPartition, start: int, end: int) -> list[Any]:
    consumer.assign([partition])
    consumer.seek(partition, start)
    records: list[Any] = []
    while consumer.position(partition) < end:
        for batch in consumer.poll(timeout_ms=1_000).values():
            records += batch
    return [record for record in records if record.offset < end]


def _event_ms(record: Any, decode: Any) -> int | None:
    try:
        event_ms: int = decode(record.value, record.offset)[1].time_ms
    except Rejected:
        return None
    return event_ms
