"""Writing behind: the online store gets a batch while the next one is computed.

Both runtimes write in this order, which the types keep: what `Prepared.publish` returns is all that can be settled.

    prepared = Prepared(store, parts)
    published = prepared.publish()        # the writes are on their way
    ...                                   # the next batch is read and computed
    conflicts = published.settle()        # the store has them, its progress says so, and what is outlived is gone
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import EntityState, StateDelta
from twinstream.online.contract import BatchWrite, Claim, EntityWrite, Finish, Load, OnlineStore, Partition, Progress


@dataclass(slots=True)
class Held:
    """A partition that a worker may write.

    Attributes:
        claim: the right to.
        progress: how far the store is known to have it; None before the first batch.
    """

    claim: Claim
    progress: Progress | None

    @property
    def next_offset(self) -> int:
        """The offset that the store goes on from."""
        return 0 if self.progress is None else self.progress.next_offset


class Part(NamedTuple):
    """One partition's part of a batch.

    Attributes:
        held: the partition.
        writes: the entities that the batch changed.
        after: where the partition stands after it.
        sweep_until_ms: up to which newest event time its entities may then go; None for none of them.
    """

    held: Held
    writes: Iterable[EntityWrite]
    after: Progress
    sweep_until_ms: int | None = None


class Prepared:
    """A batch whose writes can be set off."""

    def __init__(self, store: OnlineStore, parts: Sequence[Part]) -> None:
        self._store = store
        self._parts = parts
        self._writes = store.writing((part.held.claim, part.writes) for part in parts)

    def make(self) -> None:
        """Make all writes now; otherwise `publish` makes them while the first are being executed."""
        self._writes.make()

    def publish(self) -> "Published":
        """Set off the writes.

        Raises:
            StoreUnavailable: the store does not answer. Some entities may have been written.
        """
        self._writes.send()
        return Published(self._store, self._parts, self._writes)


class Published:
    """A batch on its way to the store."""

    def __init__(self, store: OnlineStore, parts: Sequence[Part], writes: BatchWrite) -> None:
        self._store = store
        self._parts = parts
        self._writes = writes

    def settle(self, written: Callable[[], None] = lambda: None) -> list[tuple[Partition, str]]:
        """Wait until the store has the batch, then move its progress on and remove what is outlived.

        Args:
            written: called in between.

        Returns:
            The entities written that another partition has features of, too.

        Raises:
            StoreUnavailable, StoreMismatch: the store failed, or is not what it was when the batch was computed.
        """
        conflicts = self._writes.outcome().conflicts
        written()
        self._store.finish(
            [Finish(part.held.claim, part.held.progress, part.after, part.sweep_until_ms) for part in self._parts]
        )
        for part in self._parts:
            part.held.progress = part.after
        return conflicts

    def give_up(self) -> None:
        """Do not wait for it. Some entities may have been written, or may be later."""
        self._writes.give_up()


class Restored(NamedTuple):
    """What `restore` did.

    Attributes:
        written: the entities that the store had an older state of, or none.
        conflicts: those that another partition has features of, too.
    """

    written: frozenset[str]
    conflicts: list[tuple[Partition, str]]


def restore(store: OnlineStore, held: Held, group: FeatureGroup, states: Sequence[tuple[str, EntityState]]) -> Restored:
    """Write whole states over what the store has of these entities, unless that is as new.

    Raises:
        StoreUnavailable, StoreMismatch: as `Published.settle`.
    """
    (there,) = store.load([Load(held.claim, held.progress, [entity for entity, _ in states])])
    writes = []
    for entity, state in states:
        found = there[entity]
        base_offset = -1 if found is None else found.offset
        if base_offset < state.applied_offset:
            whole = state.stored()
            dropped = [] if found is None else list(found.chunks.keys() - whole.changed.keys())
            delta = StateDelta(whole.head, whole.changed, dropped)
            writes.append(EntityWrite.of(group, entity, base_offset, state, delta))
    conflicts = store.write([(held.claim, writes)]).conflicts
    return Restored(frozenset(write.entity for write in writes), conflicts)


def advance(store: OnlineStore, held: Held, to: Progress) -> None:
    """Move a partition's progress on, whose states the store has so far.

    Raises:
        StoreUnavailable, StoreMismatch: as `Published.settle`.
    """
    store.save_progress([(held.claim, held.progress, to)])
    held.progress = to
