"""The first or the last records of a topic, with all that Kafka keeps of them, for a person who looks."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from kafka import TopicPartition as ClientPartition
from kafka.record.default_records import DefaultRecordBatch

from twinstream.errors import UserError
from twinstream.log.contract import Record
from twinstream.log.kafka.batch_decoder import FetchedRecords, varint
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS
from twinstream.log.kafka.topic_reader import poll, reader
from twinstream.settings import Settings

Offsets = Mapping[ClientPartition, int]


class FullRecord(Record, frozen=True, gc=False):
    """A record with its headers: names and values in bytes, as they came."""

    headers: tuple[tuple[bytes, bytes | None], ...] = ()


def peek(where: Settings | str, topic: str, count: int, *, newest: bool) -> list[FullRecord]:
    """The `count` newest or oldest committed records of a topic by timestamp, oldest first.

    Raises:
        UserError: there is no such topic.
    """
    with reader(where) as consumer:
        consumer._fetcher.PartitionRecords = _FullRecords
        numbers = sorted(consumer.partitions_for_topic(topic) or ())
        if not numbers:
            known = sorted(name for name in consumer.topics() if not name.startswith("__"))
            raise UserError(f"Kafka has no topic {topic}. It has: {', '.join(known) or 'none'}.")
        partitions = [ClientPartition(topic, number) for number in numbers]
        first = consumer.beginning_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
        ends = consumer.end_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
        found = _last(consumer, count, first, ends) if newest else _first(consumer, count, first, ends)
    found.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
    return found[-count:] if newest else found[:count]


def _first(consumer: Any, count: int, first: Offsets, ends: Offsets) -> list[FullRecord]:
    """The first records of each partition, at least `count` where there are so many."""
    found = []
    for partition in first:
        taken: list[FullRecord] = []
        _start(consumer, {partition: first[partition]})
        while len(taken) < count and consumer.position(partition) < ends[partition]:
            taken += _poll(consumer, ends, count - len(taken))
        found += taken
    return found


def _last(consumer: Any, count: int, first: Offsets, ends: Offsets) -> list[FullRecord]:
    """The last `count` records of each partition, from ever further back: markers and aborted records take offsets."""
    found: list[FullRecord] = []
    for partition in first:
        span = count
        while True:
            taken: deque[FullRecord] = deque(maxlen=count)
            start = max(first[partition], ends[partition] - span)
            _start(consumer, {partition: start})
            while consumer.position(partition) < ends[partition]:
                taken += _poll(consumer, ends, count)
            if len(taken) == count or start == first[partition]:
                break
            span *= 8
        found += taken
    return found


def _start(consumer: Any, positions: Offsets) -> None:
    consumer.assign(list(positions))
    for partition, offset in positions.items():
        consumer.seek(partition, offset)


def _poll(consumer: Any, ends: Offsets, most: int) -> list[FullRecord]:
    polled = poll(consumer, most).items()
    return [record for partition, records in polled for record in records if record.offset < ends[partition]]


class _FullRecords(FetchedRecords):
    def _decode(self, batch: DefaultRecordBatch, topic: str, partition: int) -> list[Record]:
        iter(batch)  # uncompresses in place
        data = bytes(memoryview(batch._buffer)[batch._pos :])
        append_timed = batch.timestamp_type == batch.LOG_APPEND_TIME
        records: list[Record] = []
        at = 0
        for _ in range(batch.records_count):
            _, at = varint(data, at)  # the record's length
            at += 1  # attributes
            delta, at = varint(data, at)
            index, at = varint(data, at)
            key, at = _bytes(data, at)
            value, at = _bytes(data, at)
            header_count, at = varint(data, at)
            headers = []
            for _ in range(header_count):
                name, at = _bytes(data, at)
                content, at = _bytes(data, at)
                headers.append((name or b"", content))
            timestamp = batch.max_timestamp if append_timed else batch.first_timestamp + delta
            records.append(
                FullRecord(
                    topic, partition, batch.base_offset + index, timestamp, key, value, append_timed, tuple(headers)
                )
            )
        return records


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)
