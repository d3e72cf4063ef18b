"""A worker that holds one partition and writes real states, as small as one can be."""

from features.events import Payment
from tests.features.events import MIDDAY_MS, WINDOW_MS, payment
from tests.reference import GROUPS
from twinstream.core.lateness import LatenessState
from twinstream.core.state import EntityState, WindowConfig
from twinstream.online.contract import EntityWrite, Finish, Load, OnlineStore, Partition, Progress, StoredState

TRANSACTION = GROUPS["transaction"]
WINDOW = WindowConfig(WINDOW_MS)
PARTITION_0 = Partition("transactions", 0, "transaction")


class Worker:
    """Claims a partition; `progress` is what it knows of it."""

    def __init__(self, store: OnlineStore, partition: Partition = PARTITION_0, epoch: str = "e1") -> None:
        self.store = store
        self.claim, self.progress = store.claim(partition, epoch)

    def load(self, *entities: str) -> dict[str, StoredState | None]:
        """The stored states, checked against the progress known."""
        (found,) = self.store.load([Load(self.claim, self.progress, entities)])
        return found

    def state(self, entity: str) -> EntityState:
        """The stored state, or an empty one."""
        stored = self.load(entity)[entity]
        if stored is None:
            return EntityState(TRANSACTION, WINDOW)
        return EntityState.load(TRANSACTION, WINDOW, stored.head, stored.chunks)

    def write(self, *writes: EntityWrite) -> list[str]:
        """Write; the entities in conflict."""
        return [entity for _, entity in self.store.write([(self.claim, writes)]).conflicts]

    def features(self, entity: str = "card") -> dict[str, str]:
        """What everybody reads of an entity."""
        return self.store.features(self.claim.partition.group, entity)

    def put(self, entity: str, *events: Payment) -> EntityWrite:
        """Load a state, insert events and write it; what was written."""
        written = change(entity, self.state(entity), *events)
        self.write(written)
        return written

    def finish(self, offset: int, newest_ms: int = MIDDAY_MS, sweep_until_ms: int | None = None) -> int:
        """Save the progress and sweep; the number of entities removed."""
        progress = Progress(offset, LatenessState(newest_ms))
        removed = self.store.finish([Finish(self.claim, self.progress, progress, sweep_until_ms)])
        self.progress = progress
        return removed


def change(entity: str, state: EntityState, *events: Payment) -> EntityWrite:
    """Insert events into a state; the write that stores it."""
    base = state.applied_offset
    for event in events:
        state.insert(event, event.time_ms - 30_000)
    assert state.newest_event_time_ms is not None
    return EntityWrite.of(TRANSACTION, entity, base, state)


def first(entity: str = "card", offset: int = 0, time_ms: int = MIDDAY_MS) -> EntityWrite:
    """The write of an entity's first event."""
    return change(entity, EntityState(TRANSACTION, WINDOW), payment(time_ms, offset))
