"""Reading a topic from end to end, for tools and tests."""

import time
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as ClientPartition
from kafka.errors import AuthorizationError, KafkaTimeoutError, OffsetOutOfRangeError, RetriableError

from twinstream.errors import UserError
from twinstream.log.contract import KafkaUnavailable, Record
from twinstream.log.kafka.batch_decoder import FetchedRecords
from twinstream.log.kafka.client_options import ANSWER_TIMEOUT_MS, READER_OPTIONS, connection_options
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.diagnosis import advertised_by, diagnosis
from twinstream.log.kafka.rights import refused
from twinstream.log.retention import Deleted, RecordsDeleted
from twinstream.settings import Settings

PATIENCE_S = 30.0
"""How long nothing may come of a topic that has more: a broker that restarts, or hands over to another, takes less."""


@contextmanager
def reader(where: Settings | str, **more: Any) -> Iterator[Any]:
    """A client that reads, closed at the end of the block.

    Args:
        where: the settings, or just the servers.
        more: options of the client besides those of every reader.

    Raises:
        NotAllowed: this user may not read.
        KafkaUnavailable: Kafka does not answer.
        RecordsDeleted: Kafka has deleted records that were still to be read.
    """
    consumer = build_client(KafkaConsumer, where, connection_options(where) | READER_OPTIONS | more)
    try:
        yield consumer
    except AuthorizationError as error:
        raise refused(error, where, "Read") from error
    except RetriableError as error:
        raise KafkaUnavailable(diagnosis(where, advertised_by(consumer))) from error
    except OffsetOutOfRangeError as error:
        wanted: Mapping[Any, int] = error.args[0]
        first = consumer.beginning_offsets(list(wanted), timeout_ms=ANSWER_TIMEOUT_MS)
        gone = [Deleted(each.topic, each.partition, offset, first[each]) for each, offset in wanted.items()]
        raise RecordsDeleted(gone, "It did so while they were being read: run it again.") from error
    finally:
        consumer.close(autocommit=False)


def poll(consumer: Any, most: int) -> dict[Any, list[Any]]:
    """The next records of what is assigned and not paused, of which there are more; none where only markers came.

    Raises:
        KafkaTimeoutError: nothing has come for PATIENCE_S. The client itself would wait for ever, without a word.
    """
    partitions = list(consumer.assignment() - consumer.paused())
    before = [consumer.position(each) for each in partitions]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        polled: dict[Any, list[Any]] = consumer.poll(ANSWER_TIMEOUT_MS, most)
        if polled or [consumer.position(each) for each in partitions] != before:
            return polled
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"nothing came within {PATIENCE_S:g} s")


def read_topic(
    where: Settings | str,
    topic: str,
    poll_records: int = 5_000,
    *,
    start: Mapping[int, int] | None = None,
    only: Collection[int] | None = None,
) -> Generator[Record, None, None]:
    """All committed records of a topic that are there now, each partition in offset order.

    Whoever may not read to the end closes it (`contextlib.closing`): left to the interpreter's end, the Kafka client
    waits for threads that are gone, and the process never exits.

    Args:
        where: the settings, or just the servers.
        topic: its name. Records written while reading are left out.
        poll_records: how many are in memory at most.
        start: where to begin in a partition, instead of its beginning.
        only: these partitions, instead of all.
    """
    with reader(where) as consumer:
        consumer._fetcher.PartitionRecords = FetchedRecords
        yield from _read(consumer, topic, poll_records, start or {}, only)


def end_offsets(where: Settings | str, topic: str) -> dict[int, int]:
    """The committed end of each partition that is not empty; markers of transactions count, see `record_ends`."""
    with reader(where) as consumer:
        partitions = _partitions(consumer, topic)
        first = consumer.beginning_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
        ends = consumer.end_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
        return {each.partition: int(ends[each]) for each in partitions if ends[each] > first[each]}


def beginning_offsets(where: Settings | str, topic: str) -> dict[int, int]:
    """The first offset of each partition that is still there."""
    with reader(where) as consumer:
        partitions = _partitions(consumer, topic)
        first = consumer.beginning_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
        return {each.partition: int(first[each]) for each in partitions}


def record_ends(where: Settings | str, topic: str) -> dict[int, int]:
    """The offset after the last committed record of each partition that has any.

    `end_offsets` also counts what no reader gets: the markers and the aborted records of transactions.
    """
    first, ends = beginning_offsets(where, topic), end_offsets(where, topic)
    found: dict[int, int] = {}
    left, reach = set(ends), 100
    while left:
        start = {number: max(first[number], ends[number] - reach) for number in left}
        for record in read_topic(where, topic, start=start, only=left):
            found[record.partition] = record.offset + 1
        left = {number for number in left - found.keys() if start[number] > first[number]}
        reach *= 100
    return found


def committed_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Up to where a consumer group, the settings' own, has dealt with each partition; only those with a commit."""
    with reader(settings, group_id=settings.consumer_group) as consumer:
        partitions = _partitions(consumer, topic)
        committed = {each.partition: consumer.committed(each) for each in partitions}
        return {number: int(offset) for number, offset in committed.items() if offset is not None}


def _partitions(consumer: Any, topic: str) -> list[ClientPartition]:
    return [ClientPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]


def _read(
    consumer: Any, topic: str, poll_records: int, start: Mapping[int, int], only: Collection[int] | None
) -> Iterator[Record]:
    numbers = sorted(consumer.partitions_for_topic(topic) or ())
    if not numbers:
        raise UserError(f"Kafka has no topic {topic}.")
    partitions = [ClientPartition(topic, number) for number in numbers if only is None or number in only]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS)
    for partition, offset in consumer.beginning_offsets(partitions, timeout_ms=ANSWER_TIMEOUT_MS).items():
        consumer.seek(partition, max(offset, start.get(partition.partition, 0)))
    open_partitions = set(partitions)
    while True:
        for partition in list(open_partitions):
            if consumer.position(partition) >= ends[partition]:
                consumer.pause(partition)
                open_partitions.remove(partition)
        if not open_partitions:
            return
        for partition, records in poll(consumer, poll_records).items():
            yield from (record for record in records if record.offset < ends[partition])
