"""One source partition in the job: a micro-batch in; keyed state, Redis and output rows out.

For a batch, in this order:

1. stamp and apply its records, with the functions that the loop uses;
2. keep what changed in keyed state, and forget the entities whose time is over: all that is part of Flink's next
   checkpoint;
3. settle the batch before, which is to say: make sure that Redis has it. Then send this one, fenced. If no other
   follows, a timer settles it, which is part of the checkpoint, too: so no crash makes anybody forget what Redis has
   not got;
4. hand the feature-log records and dead letters to Flink's transactional sink.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from twinstream.batching import cut
from twinstream.core.dead_letters import encode_dead_letter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.fingerprint import fingerprint
from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.core.partition import Applied, PartitionProcessor
from twinstream.core.stamping import Stamped, StampingLimits
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureMessage, feature_message
from twinstream.job.keyed_state import STORED, Due, EntityStates, KeyedMap
from twinstream.job.stored_partition import Change, StoredPartition
from twinstream.log.contract import Record
from twinstream.online.contract import EntityWrite, Progress
from twinstream.online.write_behind import Held

BUCKETS = 8
"""In how many parts the life of an idle entity is divided, for the sweep."""

ROW_BYTES = 1024 * 1024
"""A row for the sink ends with the record that brings it to so many bytes of values."""

DEFAULT_CAPACITY = 10_000
"""Most states in memory until `share_memory` is called."""


class Keyed(Protocol):
    """Flink's keyed state of one partition."""

    @property
    def entities(self) -> KeyedMap: ...
    @property
    def due(self) -> KeyedMap: ...
    def mark(self) -> bytes | None: ...
    def set_mark(self, mark: bytes) -> None: ...
    def clear(self) -> None: ...


class Mark(msgspec.Struct, array_like=True):
    """Where a partition stands in keyed state.

    Attributes:
        next_offset: of the record to come.
        lateness: of the lateness rule.
        pages: of the sweep's buckets.
        begun_beside: the savepoint beside which the topic was read from its beginning; empty when it was none.
    """

    next_offset: int = 0
    lateness: LatenessState = NOTHING_SEEN
    pages: dict[int, int] = msgspec.field(default_factory=dict)
    begun_beside: str = ""

    @property
    def progress(self) -> Progress:
        """The same as Redis knows it."""
        return Progress(self.next_offset, self.lateness)

    @classmethod
    def of(cls, keyed: "Keyed", begins_beside: str) -> "Mark":
        """What is in keyed state; of a partition of which nothing has been seen, that.

        A job that left the topic out may have stopped before it forgot the partition's state. A job that reads the
        topic again, from its beginning, forgets it here; but not what it has computed itself before it was restarted.
        """
        raw = keyed.mark()
        mark = cls(begun_beside=begins_beside) if raw is None else _decode_mark(raw)
        if begins_beside in ("", mark.begun_beside):
            return mark
        keyed.clear()
        return cls(begun_beside=begins_beside)


class OutputRow(NamedTuple):
    """Records for one of the output topics, each a key and a value."""

    topic: str
    records: Sequence[tuple[bytes | None, bytes]]


@dataclass(frozen=True, slots=True)
class Computation:
    """What is computed of a partition, and where it goes.

    Attributes:
        group, window, limits: the features and their rules.
        feature_log, dead_letters: the topics of the results.
        begins_beside: of `SourceTopic`.
    """

    group: FeatureGroup
    window: WindowConfig
    limits: StampingLimits
    feature_log: str
    dead_letters: str
    begins_beside: str = ""


class OutOfOrder(Exception):
    """The records of a partition did not come in offset order; nothing computed from them could be trusted."""


class KeyedPartition:
    """A partition while a subtask owns it. Flink's current key must be the partition's during any call.

    Args:
        computation: what to do.
        keyed: its keyed state.
        stored: its part of the online store.
    """

    def __init__(self, computation: Computation, keyed: Keyed, stored: StoredPartition) -> None:
        self._computation = computation
        self._keyed = keyed
        self._stored = stored
        group, window, limits = computation.group, computation.window, computation.limits
        self._entities = EntityStates(keyed.entities, group, window, DEFAULT_CAPACITY)
        self._mark = Mark.of(keyed, computation.begins_beside)
        lifetime_ms = window.size_ms + limits.allowed_lateness_ms
        self._states: dict[str, EntityState] = {}  # of the batch
        self._due = Due(keyed.due, max(1, lifetime_ms // BUCKETS), self._mark.pages)
        self._partition = PartitionProcessor(group, window, limits, feature_message, lateness=self._mark.lateness)

    @property
    def cached_entities(self) -> int:
        """Entities in memory."""
        return len(self._entities)

    @property
    def conflicts(self) -> int:
        """Entities written so far, batch by batch, that another partition has features of too."""
        return self._stored.conflicts

    @property
    def next_offset(self) -> int:
        """Of the record to come."""
        return self._mark.next_offset

    @property
    def newest_ms(self) -> int | None:
        """The newest event time that the lateness rule believes; None before the first."""
        return self._partition.lateness.newest_ms

    @property
    def unsettled(self) -> bool:
        """Whether `settle` has to be called soon, and nothing checkpointed without a reminder to do so."""
        return self._stored.unsettled

    def share_memory(self, entities: int) -> None:
        """Keep at most so many entities in memory from the next batch on."""
        self._entities.capacity = entities

    def process(self, records: Sequence[Record]) -> Applied[FeatureMessage]:
        """Apply the next records of the partition, keep the results in keyed state, and send them to Redis.

        Raises:
            OutOfOrder: they are not the next ones.
            StoreUnavailable, StoreMismatch: Redis is away for long, or somebody else keeps taking the partition.
        """
        self._check_order(records)
        held = self._hold()
        applied = self._apply(records)
        after = Progress(records[-1].offset + 1, self._partition.lateness)

        def keep(writer: str) -> list[Change]:
            changes = self._keep(applied, writer)
            self._sweep()
            self._mark = Mark(after.next_offset, after.lateness, self._due.pages, self._mark.begun_beside)
            self._keyed.set_mark(_encode_mark(self._mark))
            return changes

        self._stored.publish(held, self._entities, after, self._partition.sweep_until_ms, keep)
        self._entities.trim()
        return applied

    def settle(self) -> None:
        """See to it that Redis has all that keyed state has.

        Raises:
            StoreUnavailable, StoreMismatch: as `process`.
        """
        self._stored.settle(self._hold(), self._entities)

    def redis_has_lost(self) -> bool:
        """Whether Redis lacks what keyed state has, of a settled partition; False while it does not answer."""
        return not self.unsettled and self._stored.has_lost(self._mark.progress)

    def repopulate(self) -> None:
        """Write to Redis what it has lost.

        Raises:
            StoreUnavailable: Redis is away for long.
        """
        self._stored.repopulate(self._entities, self._mark.progress)

    def leave(self) -> None:
        """Settle the last batch if that is possible at once. Flink's current key does not matter here."""
        self._stored.leave()

    def rows(self, applied: Applied[FeatureMessage]) -> Iterator[OutputRow]:
        """What the sink is to write of a batch."""
        yield from _rows(self._computation.feature_log, applied.features)
        letters = ((letter.key, encode_dead_letter(letter)) for letter in applied.dead_letters)
        yield from _rows(self._computation.dead_letters, letters)

    def _hold(self) -> Held:
        return self._stored.hold(self._entities, self._mark.progress, self._partition.sweep_until_ms)

    def _check_order(self, records: Sequence[Record]) -> None:
        expected = self._mark.next_offset
        for record in records:
            if record.offset < expected:
                raise OutOfOrder(f"{record.topic}-{record.partition}: offset {record.offset} came after {expected - 1}")
            expected = record.offset + 1

    def _apply(self, records: Sequence[Record]) -> Applied[FeatureMessage]:
        stamped = self._partition.stamp(records)
        names = {item.entity for item in stamped if isinstance(item, Stamped)}
        self._states = {name: state for name in names if (state := self._entities.get(name)) is not None}
        return self._partition.apply(stamped, self._states)

    def _keep(self, applied: Applied[FeatureMessage], writer: str) -> list[Change]:
        """Write the changed entities to keyed state."""
        group, changes, moved = self._computation.group, [], []
        for entity, base_offset in applied.changed.items():
            state, before = self._states[entity], self._entities.place(entity)
            write = EntityWrite.of(group, entity, base_offset, state)
            self._entities.store(entity, state, write.delta, writer)
            newest_ms = state.newest_event_time_ms or 0
            if before is None or self._due.bucket(before.newest_event_time_ms) != self._due.bucket(newest_ms):
                moved.append((newest_ms, entity))
            known = before is None or before.written_by == writer
            changes.append(Change(state, write, known))
        self._due.register(moved)
        return changes

    def _sweep(self) -> None:
        """Forget the entities whose newest event the watermark has passed by window and lateness."""
        until_ms = self._partition.sweep_until_ms
        for _, entity in self._due.until(until_ms):
            place = self._entities.place(entity)
            if place is None:
                continue
            if place.newest_event_time_ms > until_ms:
                self._due.postpone(place.newest_event_time_ms, entity)
            else:
                self._entities.remove(entity)


def _rows(topic: str, records: Iterable[tuple[bytes | None, bytes]]) -> Iterator[OutputRow]:
    """The records cut into rows: a row lies in Flink's memory several times over, so it must not be of any size."""
    return (OutputRow(topic, together) for together in cut(records, lambda record: len(record[1]), ROW_BYTES))


LAYOUT = fingerprint(Mark, *STORED)
"""Of what lies in keyed state around the entities' states; for the operators' uids, see `pipeline.stage_uid`."""

_encode_mark = msgspec.msgpack.Encoder().encode
_decode_mark = msgspec.msgpack.Decoder(Mark).decode
