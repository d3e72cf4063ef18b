"""A log in this process: the same contract as the Kafka client, for tests and for machines without a broker.

`MemoryBroker` holds topics and committed offsets; `MemoryLog` is one group member's view of it. The broker's clock is
moved by hand or, by default, is the system's.
"""

import contextlib
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from twinstream.log.contract import Committed, PositionLost, Rebalanced, Record, TopicPartition, TransactionFailed


class MemoryBroker:
    """Topics of append-only partitions, stamped with the broker's time as they are written.

    Attributes:
        now_ms: the time in epoch milliseconds that the next record is stamped with.
    """

    def __init__(self, topics: Iterable[str], partitions: int, now_ms: Callable[[], int] | None = None) -> None:
        self.now_ms = now_ms or (lambda: time.time_ns() // 1_000_000)
        self.partitions = partitions
        self.topic_ids: dict[str, str] = {}
        self._records: dict[TopicPartition, list[Record]] = defaultdict(list)
        self._beginnings: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, Committed] = {}
        for topic in topics:
            self.create(topic)

    def create(self, topic: str) -> None:
        """Create a topic, or delete it with its records and offsets and create it again."""
        self.topic_ids[topic] = uuid.uuid4().hex
        for number in range(self.partitions):
            self._records.pop(TopicPartition(topic, number), None)
            self._beginnings.pop(TopicPartition(topic, number), None)
            self._committed.pop(TopicPartition(topic, number), None)

    def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, *, stamped_ms: int | None = None
    ) -> Record:
        """Write a record at the end of a partition, with a producer's timestamp if one is given."""
        place = TopicPartition(topic, partition)
        records = self._records[place]
        append_timed = stamped_ms is None
        timestamp = self.now_ms() if stamped_ms is None else stamped_ms
        record = Record(topic, partition, self.end_offset(place), timestamp, key, value, append_timed)
        records.append(record)
        return record

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [record for number in range(self.partitions) for record in self._records[TopicPartition(topic, number)]]

    def read(self, partition: TopicPartition, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records of a partition from an offset on."""
        at = offset - self.beginning_offset(partition)
        return self._records[partition][at : at + limit]

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        """Delete the records before an offset, as retention does."""
        del self._records[partition][: offset - self.beginning_offset(partition)]
        self._beginnings[partition] = offset

    def beginning_offset(self, partition: TopicPartition) -> int:
        """The first offset that is still there."""
        return self._beginnings.get(partition, 0)

    def end_offset(self, partition: TopicPartition) -> int:
        """The offset that the next record gets."""
        return self.beginning_offset(partition) + len(self._records[partition])

    def committed(self, partition: TopicPartition) -> Committed | None:
        """The group's committed offset."""
        return self._committed.get(partition)

    def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Commit offsets for the group."""
        self._committed.update(offsets)


class MemoryTransaction:
    """Outputs and offsets that reach the broker together, at `commit`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._outputs: list[tuple[str, int, bytes | None, bytes]] = []
        self._offsets: dict[TopicPartition, Committed] = {}
        self.open = True

    def send(self, topic: str, key: bytes | None, value: bytes, partition: int) -> None:
        """Add a record to the transaction."""
        self._outputs.append((topic, partition, key, value))

    def commit_offsets(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Add offsets to the transaction."""
        self._offsets.update(offsets)

    def flush(self) -> None:
        """Nothing is under way here."""

    def commit(self) -> None:
        """Make everything visible."""
        if not self.open:
            raise TransactionFailed("the transaction has ended")
        self.open = False
        for topic, partition, key, value in self._outputs:
            self._broker.append(topic, partition, key, value)
        self._broker.commit(self._offsets)

    def abort(self) -> None:
        """Forget everything."""
        self.open = False


class MemoryLog:
    """The one member of its group: all partitions of its topics are assigned to it at the first poll."""

    def __init__(
        self, broker: MemoryBroker, topics: Sequence[str], on_assigned: Rebalanced, on_revoked: Rebalanced
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._told = False

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """The next records; returns at once, since nobody else can write meanwhile."""
        if not self._told:
            partitions = [
                TopicPartition(topic, number) for topic in self._topics for number in range(self._broker.partitions)
            ]
            self._positions = dict.fromkeys(partitions)
            self._on_assigned(partitions)
            self._told = True
        polled: dict[TopicPartition, list[Record]] = {}
        for partition, position in self._positions.items():
            if position is None or partition in self._paused or max_records <= 0:
                continue
            if not self.beginning_offset(partition) <= position <= self._broker.end_offset(partition):
                self._positions[partition] = None
                raise PositionLost([partition], "The log does not hold the position")
            records = self._broker.read(partition, position, max_records)
            if records:
                polled[partition] = records
                self._positions[partition] = position + len(records)
                max_records -= len(records)
        return polled

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions of this member."""
        return frozenset(self._positions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Continue at an offset."""
        self._positions[partition] = offset

    def position(self, partition: TopicPartition) -> int:
        """The offset of the next record to come."""
        return self._positions[partition] or 0

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver nothing of these partitions."""
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver them again."""
        self._paused.difference_update(partitions)

    def committed(self, partition: TopicPartition) -> Committed | None:
        """The group's committed offset."""
        return self._broker.committed(partition)

    def beginning_offset(self, partition: TopicPartition) -> int:
        """The first offset that is still there."""
        return self._broker.beginning_offset(partition)

    def end_offset(self, partition: TopicPartition) -> int:
        """The offset after the last record."""
        return self._broker.end_offset(partition)

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last record of each."""
        return {partition: self._broker.end_offset(partition) for partition in partitions}

    def offset_for_time(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        """The first offset stamped at or after a time."""
        first, end = self._broker.beginning_offset(partition), self._broker.end_offset(partition)
        records = self._broker.read(partition, first, end)
        return next((record.offset for record in records if record.timestamp >= timestamp_ms), None)

    def topic_id(self, topic: str) -> str:
        """Changes when the topic is created again."""
        return self._broker.topic_ids[topic]

    def is_append_timed(self, topic: str) -> bool:
        """Whether the broker stamps what is appended now: so it does, unless the newest record says otherwise."""
        return all(record.append_timed for record in self._broker.records(topic)[-1:])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """Outputs and offsets in one transaction."""
        transaction = MemoryTransaction(self._broker)
        try:
            yield transaction
        except BaseException:
            transaction.abort()
            raise
        if transaction.open:
            transaction.commit()

    def ping(self, timeout_ms: int = 5_000) -> None:
        """Always answers."""

    def recover(self) -> None:
        """Nothing can be pending in memory."""

    def close(self) -> None:
        """Leave the group."""
        revoked, self._positions = list(self._positions), {}
        self._on_revoked(revoked)
