"""Where a topic stands: the newest event time in it, read from the end of its partitions."""

from typing import Any

import structlog
from kafka import TopicPartition

from producers.records import iso_utc
from twinstream.core.rejection import Rejected
from twinstream.definitions import load_registry
from twinstream.log.kafka.topic_reader import poll, reader
from twinstream.settings import Settings

REFERENCE = load_registry("features")
"""The definitions whose records these producers make."""

TAIL_RECORDS, POLL_RECORDS = 300, 500

DEFAULT_SKEW_MS = 30_000


def first_free_ms(where: Settings | str, topic: str, records_of: str, now_ms: int) -> int:
    """The earliest time that a live event of the topic may have: after the newest event in it.

    A topic that is ahead of the clock, or is a source of other records, is said so in a warning.
    """
    if topic != records_of and REFERENCE.reads(topic):
        structlog.get_logger(__name__).warning(
            "The topic is for other records; the feature engine will set these aside as dead letters (schema)",
            topic=topic,
            its_records=", ".join(group.name for group in REFERENCE.of_topic(topic)),
            these_go_to=records_of,
        )
    newest_ms = newest_event_ms(where, topic, records_of)
    if newest_ms is None:
        return 0
    if newest_ms > now_ms:
        structlog.get_logger(__name__).warning(
            "The topic is ahead of the clock; events are stamped from its newest one on until the clock has caught up",
            topic=topic,
            newest=iso_utc(newest_ms),
            ahead_seconds=round((newest_ms - now_ms) / 1000, 3),
        )
    return newest_ms + 1


def newest_event_ms(where: Settings | str, topic: str, records_of: str | None = None) -> int | None:
    """The newest event time (epoch ms) at the end of the topic, or None if nothing valid is there.

    `records_of` is the source topic whose records are in it, where the name itself does not say so.

    Records that do not decode, and those that are ahead of their Kafka timestamp by more than the allowed skew, do not
    count, as they do not count for the lateness rule. The tail is read further back until it holds a valid record.
    """
    decode = REFERENCE.of_topic(records_of or topic)[0].decode
    skew_ms = where.max_future_skew_ms if isinstance(where, Settings) else DEFAULT_SKEW_MS
    with reader(where, group_id=None) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        times = [_newest(consumer, partition, decode, skew_ms) for partition in partitions]
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
        for batch in poll(consumer, POLL_RECORDS).values():
            records += batch
    return [record for record in records if record.offset < end]


def _event_ms(record: Any, decode: Any) -> int | None:
    try:
        event_ms: int = decode(record.value, record.offset)[1].time_ms
    except Rejected:
        return None
    return event_ms
