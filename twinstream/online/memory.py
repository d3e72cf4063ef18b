"""An online store in this process: the same contract as Redis, for tests and for machines without one.

`MemoryDatabase` holds what stores share, as workers share a Redis database; `MemoryStore` is one worker's view of it.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from twinstream.online.contract import (
    Claim,
    EntityName,
    EntityWrite,
    Finish,
    Found,
    Load,
    Partition,
    Progress,
    Recorded,
    StoredState,
    Writes,
    Written,
)
from twinstream.online.single_writer import OtherWriter, Runtime, Writer
from twinstream.online.store_errors import StoreMismatch, taken_over


@dataclass(slots=True)
class MemoryEntity:
    """An entity's state as it is stored."""

    offset: int
    newest_event_time_ms: int
    head: bytes
    chunks: dict[int, bytes]

    def stored(self) -> StoredState:
        """The state, which later writes leave as it is."""
        return StoredState(self.offset, self.head, dict(self.chunks))


@dataclass(slots=True)
class MemoryPartition:
    """What is stored of a partition, and the token of who may write to it."""

    token: str
    epoch: str
    progress: Progress | None = None
    entities: dict[str, MemoryEntity] = field(default_factory=dict)


class MemoryDatabase:
    """What all stores over it share.

    Args:
        before_call: told the name of each call of a store before it is carried out, those of a batch as `send` and
            `outcome`. It may raise `StoreUnavailable`, as a store that is away does.

    Attributes:
        writers: who writes the features of a group.
        features: of a group and its entities, as everybody reads them.
        partitions: by namespace and partition.
    """

    def __init__(self, before_call: Callable[[str], None] = lambda name: None) -> None:
        self.before_call = before_call
        self.clear()

    def clear(self) -> None:
        """Lose everything."""
        self.writers: dict[str, Writer] = {}
        self.features: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
        self.partitions: dict[tuple[str, Partition], MemoryPartition] = {}

    def copy(self) -> "MemoryDatabase":
        """Another one with the same content, as a backup would have it."""
        copied = MemoryDatabase()
        copied.set_back(self)
        return copied

    def set_back(self, backup: "MemoryDatabase") -> None:
        """Have what a backup has, and nothing else."""
        self.writers = dict(backup.writers)
        self.features = deepcopy(backup.features)
        self.partitions = deepcopy(backup.partitions)


class MemoryStore:
    """A database in this process as `OnlineStore`.

    Args:
        database: what it shares with other stores.
        namespace: keeps the states of two consumer groups apart.
        runtime: what claims partitions with it.
    """

    def __init__(self, database: MemoryDatabase, namespace: str, runtime: Runtime = Runtime.LOOP) -> None:
        self._database = database
        self._namespace = namespace
        self._writer = Writer(runtime, namespace)

    # --- what anybody may ask ---------------------------------------------------------------------------------------

    def ping(self) -> None:
        """Return if the store answers."""
        self._database.before_call("ping")

    def close(self) -> None:
        """Nothing is held on to."""

    def state(self, group: str, entity: str) -> tuple[Partition, StoredState] | None:
        """The state that the entity's features were made from."""
        self._database.before_call("state")
        found = self._found(group, entity)
        return None if found is None or found.stored is None else (found.source, found.stored)

    def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """What there is of each of some entities."""
        self._database.before_call("states")
        return [self._found(*each) for each in entities]

    def features(self, group: str, entity: str) -> dict[str, str]:
        """What everybody reads of an entity."""
        self._database.before_call("features")
        return dict(self._database.features[group].get(entity, {}))

    def all_features(self, group: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Every entity's features."""
        self._database.before_call("all_features")
        for entity, fields in list(self._database.features[group].items()):
            yield entity, dict(fields)

    def progress(self, partition: Partition) -> Recorded | None:
        """How far a partition has been written."""
        self._database.before_call("progress")
        kept = self._database.partitions.get(self._place(partition))
        return None if kept is None else Recorded(kept.epoch, kept.progress)

    # --- taking a partition over ------------------------------------------------------------------------------------

    def check_writer(self, groups: Iterable[str]) -> None:
        """Return if these groups' features are this store's to write, or nobody's so far."""
        self._database.before_call("check_writer")
        for group in groups:
            self._check_writer(group)

    def claim(self, partition: Partition, epoch: str) -> tuple[Claim, Progress | None]:
        """Take a partition over from whoever had it."""
        self._database.before_call("claim")
        self._become_writer(partition.group)
        claim = Claim(partition, epoch, uuid.uuid4().hex)
        kept = self._database.partitions.get(self._place(partition))
        if kept is not None and kept.epoch == epoch:
            kept.token = claim.token
            return claim, kept.progress
        if kept is not None:
            self._remove(partition, kept, list(kept.entities))
        self._database.partitions[self._place(partition)] = MemoryPartition(claim.token, epoch)
        return claim, None

    def forget(self, claim: Claim) -> None:
        """Remove all that is stored of a partition; the claim stays good."""
        self._database.before_call("forget")
        self._become_writer(claim.partition.group)
        kept = self._held(claim)
        self._remove(claim.partition, kept, list(kept.entities))
        kept.progress = None

    # --- a batch ----------------------------------------------------------------------------------------------------

    def load(self, loads: Sequence[Load]) -> list[dict[str, StoredState | None]]:
        """The stored states of some entities."""
        self._database.before_call("load")
        results: list[dict[str, StoredState | None]] = []
        for claim, expected, entities in loads:
            kept = self._held(claim)
            if kept.progress != expected:
                raise StoreMismatch(f"the progress of {claim.partition} is {kept.progress}, not {expected}")
            found = {entity: kept.entities.get(entity) for entity in entities}
            results.append({entity: None if each is None else each.stored() for entity, each in found.items()})
        return results

    def write(self, writes: Writes) -> Written:
        """Replace features and change states."""
        batch = self.writing(writes)
        batch.send()
        return batch.outcome()

    def writing(self, writes: Writes) -> "MemoryBatchWrite":
        """The same in steps."""
        return MemoryBatchWrite(self._write_one, self._database, writes)

    def _write_one(self, claim: Claim, write: EntityWrite) -> bool:
        """Write an entity; whether another partition has features of it, too.

        Raises:
            StoreMismatch: as `write`.
        """
        kept, partition = self._held(claim), claim.partition
        entity = kept.entities.get(write.entity)
        applied = -1 if entity is None else entity.offset
        if applied == write.offset:
            return False
        if applied != write.base_offset:
            raise StoreMismatch(f"{write.entity} in {partition} is not at offset {write.base_offset}")
        shown = self._database.features[partition.group].get(write.entity)
        conflict = shown is not None and _source(shown) != partition[:2]
        if shown is None or not conflict or _order(shown) <= (write.newest_event_time_ms, partition.partition):
            self._database.features[partition.group][write.entity] = _fields(partition, write)
        if entity is None:
            entity = kept.entities[write.entity] = MemoryEntity(-1, 0, b"", {})
        entity.offset, entity.newest_event_time_ms = write.offset, write.newest_event_time_ms
        entity.head = write.delta.head
        for number in write.delta.dropped:
            entity.chunks.pop(number, None)
        entity.chunks.update(write.delta.changed)
        return conflict

    def finish(self, finishes: Sequence[Finish]) -> int:
        """Move the progress of some partitions on and remove their outdated entities."""
        self._database.before_call("finish")
        removed = 0
        for claim, expected, new, sweep_until_ms in finishes:
            kept = self._held(claim)
            stored, wanted = (None if each is None else each.next_offset for each in (kept.progress, expected))
            if stored == wanted:
                kept.progress = new
            elif stored != new.next_offset:
                raise StoreMismatch(f"the progress of {claim.partition} is not {expected}")
            removed += 0 if sweep_until_ms is None else self._sweep(claim, sweep_until_ms)
        return removed

    def save_progress(self, moves: Sequence[tuple[Claim, Progress | None, Progress]]) -> None:
        """`finish` without removing anything."""
        self.finish([Finish(*move) for move in moves])

    def sweep(self, sweeps: Sequence[tuple[Claim, int]]) -> int:
        """Remove the entities whose newest event is not newer than a time (ms), and count them."""
        self._database.before_call("sweep")
        return sum(self._sweep(claim, until_ms) for claim, until_ms in sweeps)

    # --- the dictionaries -------------------------------------------------------------------------------------------

    def _check_writer(self, group: str) -> None:
        known = self._database.writers.get(group, self._writer)
        if known != self._writer:
            raise OtherWriter("the store of this process", group, known, self._writer)

    def _become_writer(self, group: str) -> None:
        self._check_writer(group)
        self._database.writers[group] = self._writer

    def _sweep(self, claim: Claim, until_ms: int) -> int:
        kept = self._held(claim)
        old = [entity for entity, each in kept.entities.items() if each.newest_event_time_ms <= until_ms]
        self._remove(claim.partition, kept, old)
        return len(old)

    def _remove(self, partition: Partition, kept: MemoryPartition, entities: Sequence[str]) -> None:
        """Remove entities; features that come from another partition stay."""
        features = self._database.features[partition.group]
        for entity in entities:
            del kept.entities[entity]
            shown = features.get(entity)
            if shown is not None and _source(shown) == partition[:2]:
                del features[entity]

    def _held(self, claim: Claim) -> MemoryPartition:
        kept = self._database.partitions.get(self._place(claim.partition))
        if kept is None or (kept.token, kept.epoch) != (claim.token, claim.epoch):
            raise taken_over(claim)
        return kept

    def _found(self, group: str, entity: str) -> Found | None:
        fields = self._database.features[group].get(entity)
        if fields is None:
            return None
        source = Partition(fields["topic"], int(fields["partition"]), group)
        kept = self._database.partitions.get(self._place(source))
        if kept is None:
            return Found(source, None, None)
        stored = kept.entities.get(entity)
        return Found(source, kept.epoch, None if stored is None else stored.stored())

    def _place(self, partition: Partition) -> tuple[str, Partition]:
        return self._namespace, partition


class AsyncMemoryReader:
    """A store in this process as `AsyncOnlineReader`: it answers at once.

    Args:
        store: what is asked.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def ping(self) -> None:
        """Return if the store answers."""
        self._store.ping()

    async def close(self) -> None:
        """Nothing is held on to."""

    async def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """What there is of each of some entities."""
        return self._store.states(entities)

    async def progress(self, partitions: Sequence[Partition]) -> list[Recorded | None]:
        """How far each of some partitions has been written."""
        return [self._store.progress(each) for each in partitions]


class MemoryBatchWrite:
    """The writes of a batch, all done when they are sent.

    Args:
        write_one: writes an entity; whether another partition has features of it, too.
        database: is told of the calls.
        writes: what to write.
    """

    def __init__(
        self, write_one: Callable[[Claim, EntityWrite], bool], database: MemoryDatabase, writes: Writes
    ) -> None:
        self._write_one = write_one
        self._database = database
        self._writes = writes
        self._conflicts: list[tuple[Partition, str]] = []
        self._refused: StoreMismatch | None = None

    def make(self) -> None:
        """Take all entities now."""
        self._writes = [(claim, list(entities)) for claim, entities in self._writes]

    def send(self) -> None:
        """Write everything that is not refused."""
        self._database.before_call("send")
        for claim, entities in self._writes:
            for write in entities:
                try:
                    conflict = self._write_one(claim, write)
                except StoreMismatch as refused:
                    self._refused = self._refused or refused
                    continue
                if conflict:
                    self._conflicts.append((claim.partition, write.entity))

    def outcome(self) -> Written:
        """What came of it."""
        self._database.before_call("outcome")
        if self._refused is not None:
            raise self._refused
        return Written(self._conflicts)

    def give_up(self) -> None:
        """Nothing is under way here."""


def _fields(partition: Partition, write: EntityWrite) -> dict[str, str]:
    """What everybody reads of an entity after a write."""
    values = write.lines.decode().split("\n")[: len(write.names)]
    place = {"event_time": str(write.newest_event_time_ms), "offset": str(write.offset)}
    place |= {"topic": partition.topic, "partition": str(partition.partition)}
    return dict(zip(write.names, values, strict=True)) | place


def _source(fields: dict[str, str]) -> tuple[str, int]:
    """The partition that features come from."""
    return fields["topic"], int(fields["partition"])


def _order(fields: dict[str, str]) -> tuple[int, int]:
    """Of two partitions' features those are shown whose order is greater: event time, then the partition's number."""
    return int(fields["event_time"]), int(fields["partition"])
