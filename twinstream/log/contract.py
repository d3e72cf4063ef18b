"""What the loop needs of a log, whoever provides it: records by partition, positions, and one atomic commit.

`EventLog` is the narrow waist. The Kafka client implements it, the test driver's in-process log does too, and nothing
above it knows which one it holds. All calls come from one thread, and the rebalance callbacks run on that thread,
inside `poll`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from twinstream.errors import UserError


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Committed(NamedTuple):
    """An offset of a consumer group: the next record to read, and what was noted beside it."""

    offset: int
    metadata: str = ""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a log; `timestamp` is in milliseconds UTC, the broker's where `append_timed`, or a producer's."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    append_timed: bool = True


Rebalanced = Callable[[Sequence[TopicPartition]], None]


class LogError(Exception):
    """Something went wrong between us and the log."""


class KafkaUnavailable(LogError, UserError):
    """No broker answered in time. Nothing is known to be lost: back off and try again."""


class TransactionFailed(LogError):
    """The transaction did not commit, or may have: call `recover()`, then ask `committed` what holds."""


class Fenced(TransactionFailed):
    """Another producer has the transactional id, the broker timed the transaction out, or the group left us behind."""


class NameTaken(UserError):
    """Another process has joined the group under this worker's name, and Kafka listens to the later one: give up."""


class NotAllowed(UserError):
    """Kafka's access control refuses something. Trying again cannot help, only who administers the cluster can."""


class RecordTooLarge(LogError, UserError):
    """The broker refuses a record for its size; trying again cannot help, only another topic setting can."""


class PositionLost(LogError):
    """The log no longer holds the position of these partitions: decide anew where to read, and `seek`."""

    def __init__(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        self.partitions = sorted(partitions)
        super().__init__(f"{reason}: {', '.join(f'{topic}-{number}' for topic, number in self.partitions)}")


class Transaction(Protocol):
    """Outputs and source offsets that become visible together or not at all.

    The order is `send` as often as needed, `commit_offsets`, `flush`, `commit`. The caller may do other things between
    them, while the broker is at work. Leaving the `with` block commits if `commit` was not called, which flushes, too;
    an exception in the block aborts.
    """

    def send(self, topic: str, key: bytes | None, value: bytes, partition: int) -> None: ...

    def commit_offsets(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        """Set off all outputs and the offsets into the open transaction; errors show at `flush` or `commit`."""

    def flush(self) -> None:
        """Wait until the broker has all that was set off."""

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class EventLog(Protocol):
    """A group member's view of the source topics, and its way to write results."""

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """The next records in offset order, waiting up to `timeout_ms` for the first. Rebalance callbacks run in here.

        A newly assigned partition delivers nothing until `seek` has placed it. A callback that raises makes `poll`
        raise, and is called again by the next one.
        """

    def assignment(self) -> frozenset[TopicPartition]: ...

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    def position(self, partition: TopicPartition) -> int:
        """The offset of the next record to come; it steps over transaction markers and aborted records."""

    def pause(self, partitions: Iterable[TopicPartition]) -> None: ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None: ...

    def committed(self, partition: TopicPartition) -> Committed | None:
        """The group's committed offset; waits for a pending transaction to be decided, so it is never stale."""

    def beginning_offset(self, partition: TopicPartition) -> int: ...

    def end_offset(self, partition: TopicPartition) -> int:
        """The offset after the last committed record."""

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]: ...

    def offset_for_time(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        """The first offset whose Kafka timestamp is at least `timestamp_ms`; None if there is none."""

    def topic_id(self, topic: str) -> str:
        """An id that changes when the topic is deleted and created again."""

    def ping(self, timeout_ms: int = 5_000) -> None:
        """Raise `KafkaUnavailable` unless the log answers within `timeout_ms`."""

    def is_append_timed(self, topic: str) -> bool:
        """Whether the broker stamps what is appended to the topic now."""

    def transaction(self) -> AbstractContextManager[Transaction]: ...

    def recover(self) -> None:
        """Make the log usable after a failed transaction: whatever was pending is decided when this returns."""

    def close(self) -> None: ...
