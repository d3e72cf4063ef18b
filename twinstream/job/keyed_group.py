"""One group's part of a source partition in the job: what is stamped goes into keyed state and to Redis."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.core.partition import Applied, PartitionProcessor
from twinstream.core.stamping import Stamped, StampingLimits
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureMessage, feature_message
from twinstream.job.keyed_state import EntityStates, ExpiryIndex, Keyed, PartOfMap
from twinstream.job.stored_partition import Change, StoredPartition
from twinstream.online.contract import EntityWrite, Progress
from twinstream.online.write_behind import Held

BUCKETS = 8
"""In how many parts the life of an idle entity is divided, for the sweep."""

DEFAULT_CAPACITY = 10_000
"""Most states in memory until `share_memory` is called."""


class Mark(msgspec.Struct, array_like=True):
    """Where a group stands in a partition, in keyed state.

    Attributes:
        next_offset: of the record to come.
        lateness: of the lateness rule.
        pages: of the sweep's buckets.
        letters_from: dead letters of records before it have been written, by this group or one with the same decoder.
    """

    next_offset: int = 0
    lateness: LatenessState = NOTHING_SEEN
    pages: dict[int, int] = msgspec.field(default_factory=dict)
    letters_from: int = 0

    @property
    def progress(self) -> Progress:
        """The same as Redis knows it."""
        return Progress(self.next_offset, self.lateness)


@dataclass(frozen=True, slots=True)
class Computation:
    """What is computed for a group, and where it goes.

    Attributes:
        id: of `SourceGroup`.
        group, window, limits: the features and their rules.
        feature_log: the topic of the vectors.
    """

    id: str
    group: FeatureGroup
    window: WindowConfig
    limits: StampingLimits
    feature_log: str


class KeyedGroup:
    """A group's part of a partition while a subtask owns it. Flink's current key must be the partition's in any call.

    Args:
        computation: what to do.
        keyed: the partition's keyed state.
        stored: the group's part of the online store.

    Attributes:
        name: of the group.
        feature_log: the topic of its vectors.
        processor: stamps and applies the records that the group has not had.
        letters_from: of its mark.
    """

    def __init__(self, computation: Computation, keyed: Keyed, stored: StoredPartition) -> None:
        self.name = computation.group.name
        self.feature_log = computation.feature_log
        self._computation = computation
        self._marks = keyed.marks
        self._stored = stored
        group, window, limits = computation.group, computation.window, computation.limits
        raw = keyed.marks.get(computation.id)
        self._mark = Mark() if raw is None else _decode_mark(raw)
        self._entities = EntityStates(PartOfMap(keyed.entities, computation.id), group, window, DEFAULT_CAPACITY)
        lifetime_ms = window.size_ms + limits.allowed_lateness_ms
        self._states: dict[str, EntityState] = {}  # of the batch
        expiries = PartOfMap(keyed.expiries, computation.id)
        self._expiries = ExpiryIndex(expiries, max(1, lifetime_ms // BUCKETS), self._mark.pages)
        self.processor = PartitionProcessor(
            group, window, limits, feature_message, start_at=self._mark.next_offset, lateness=self._mark.lateness
        )
        self.letters_from = max(self._mark.letters_from, self._mark.next_offset)

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
        return self.processor.lateness.newest_ms

    @property
    def unsettled(self) -> bool:
        """Whether `settle` has to be called soon, and nothing checkpointed without a reminder to do so."""
        return self._stored.unsettled

    def share_memory(self, entities: int) -> None:
        """Keep at most so many entities in memory from the next batch on."""
        self._entities.capacity = entities

    def leave_letters_to_others(self, until: int) -> None:
        """Note that a group with the same decoder has written the dead letters of the records before an offset.

        That one may be gone when this one has got there, so it is noted at once.
        """
        if until > self.letters_from:
            self.letters_from = until
            self._set_mark(self._mark.next_offset, self._mark.lateness)

    def hold(self) -> Held:
        """Take the group's part of the partition over in Redis, unless that has been done. Before a batch is stamped.

        Raises:
            StoreUnavailable: Redis is away for long.
        """
        return self._stored.hold(self._entities, self._mark.progress, self.processor.sweep_until_ms)

    def apply(self, held: Held, stamped: Sequence[Stamped | DeadLetter], next_offset: int) -> Applied[FeatureMessage]:
        """Apply the next records, keep the results in keyed state, and send them to Redis.

        Args:
            held: what `hold` returned.
            stamped: what the processor, or another for it, has made of the records.
            next_offset: of the record that comes after them.

        Raises:
            StoreUnavailable, StoreMismatch: Redis is away for long, or somebody else keeps taking the partition.
        """
        if next_offset <= self._mark.next_offset:
            return Applied()  # it has had all of them
        applied = self._apply(stamped)
        after = Progress(next_offset, self.processor.lateness)

        def keep(writer: str) -> list[Change]:
            changes = self._keep(applied, writer)
            self._sweep()
            self._set_mark(*after)
            return changes

        self._stored.publish(held, self._entities, after, self.processor.sweep_until_ms, keep)
        self._entities.trim()
        return applied

    def settle(self) -> None:
        """See to it that Redis has all that keyed state has.

        Raises:
            StoreUnavailable, StoreMismatch: as `apply`.
        """
        self._stored.settle(self.hold(), self._entities)

    def redis_has_lost(self) -> bool:
        """Whether Redis lacks what keyed state has, when all is settled; False while it does not answer."""
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

    def _set_mark(self, next_offset: int, lateness: LatenessState) -> None:
        self._mark = Mark(next_offset, lateness, self._expiries.pages, self.letters_from)
        self._marks.put(self._computation.id, _encode_mark(self._mark))

    def _apply(self, stamped: Sequence[Stamped | DeadLetter]) -> Applied[FeatureMessage]:
        names = {item.entity for item in stamped if isinstance(item, Stamped)}
        self._states = {name: state for name in names if (state := self._entities.get(name)) is not None}
        return self.processor.apply(stamped, self._states)

    def _keep(self, applied: Applied[FeatureMessage], writer: str) -> list[Change]:
        """Write the changed entities to keyed state."""
        group, changes, moved = self._computation.group, [], []
        for entity, base_offset in applied.changed.items():
            state, before = self._states[entity], self._entities.entry(entity)
            write = EntityWrite.of(group, entity, base_offset, state)
            self._entities.store(entity, state, write.delta, writer)
            newest_ms = state.newest_event_time_ms or 0
            if before is None or self._expiries.bucket(before.newest_event_time_ms) != self._expiries.bucket(newest_ms):
                moved.append((newest_ms, entity))
            known = before is None or before.written_by == writer
            changes.append(Change(state, write, known))
        self._expiries.register(moved)
        return changes

    def _sweep(self) -> None:
        """Forget the entities whose newest event the watermark has passed by window and lateness."""
        until_ms = self.processor.sweep_until_ms
        for _, entity in self._expiries.until(until_ms):
            entry = self._entities.entry(entity)
            if entry is None:
                continue
            if entry.newest_event_time_ms > until_ms:
                self._expiries.postpone(entry.newest_event_time_ms, entity)
            else:
                self._entities.remove(entity)


_encode_mark = msgspec.msgpack.Encoder().encode
_decode_mark = msgspec.msgpack.Decoder(Mark).decode
