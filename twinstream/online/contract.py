"""What workers and readers ask of an online store, whoever provides it.

`OnlineStore` is what a worker writes with, `OnlineReader` what anybody may ask. Redis implements both, and so does a
store in this process; nothing above them knows which one it holds. What is promised here is tested on each of them by
the same suite (`tests/online/conformance`).

**Fencing.** A worker claims a partition and gets a token. Every change names the token, and the place where the worker
last saw what it changes; both are checked in the same step as the change. So a replay, a worker that was given up for
dead, or a store that lost its last second cannot move anything backwards or mix two histories.

**Repetition.** Every call but `claim` may be repeated with the same arguments after `StoreUnavailable`, whether or not
it was carried out: what was done already is left alone. A repeated `claim` is a new claim, and the earlier one is void.

**Epochs.** States and progress belong to the epoch that they were written in. A claim in another epoch removes them.

A store object is used by one thread at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import LatenessState
from twinstream.core.state import EntityState, StateDelta
from twinstream.core.vectors import hash_lines


class Partition(NamedTuple):
    """A partition of a source topic, and the name of the group whose features are computed from it."""

    topic: str
    partition: int
    group: str

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


EntityName = tuple[str, str]
"""Whom features are about: the group's name, and the entity's."""


class Progress(NamedTuple):
    """How far a partition has been written: the next offset, and what the lateness rule knows of the records before."""

    next_offset: int
    lateness: LatenessState


class Recorded(NamedTuple):
    """What is stored of a partition's progress: in which epoch, and how far; None before the first batch."""

    epoch: str
    progress: Progress | None


class Claim(NamedTuple):
    """The right to write to a partition, until another worker claims it."""

    partition: Partition
    epoch: str
    token: str


class StoredState(NamedTuple):
    """A state as it is stored; `EntityState.load` takes head and chunks. `offset` is the newest record applied."""

    offset: int
    head: bytes
    chunks: dict[int, bytes]


class Found(NamedTuple):
    """What a store has of an entity that has features, all of one moment.

    Attributes:
        source: the partition that its events come from.
        epoch: that the partition is in; None when nothing is known of its progress.
        stored: the state that the features were made from; None when they outlived it: another epoch has begun, or
            something was lost.
    """

    source: Partition
    epoch: str | None
    stored: StoredState | None


class EntityWrite(NamedTuple):
    """What a batch changed of one entity.

    Attributes:
        entity: whom it is about.
        base_offset: applied offset of the stored state that `delta` is a change of; -1 when there is none.
        offset: applied offset after it.
        newest_event_time_ms: of the entity.
        names: of the features; the same for all entities of a partition.
        lines: their values, as they are to be read, each ended by a line break.
        delta: the changed parts of the state.
    """

    entity: str
    base_offset: int
    offset: int
    newest_event_time_ms: int
    names: Sequence[str]
    lines: bytes
    delta: StateDelta

    @classmethod
    def of(
        cls, group: FeatureGroup, entity: str, base_offset: int, state: EntityState, delta: StateDelta | None = None
    ) -> "EntityWrite":
        """What a store is to have of an entity: the change since its state was last stored, unless another is given.

        Raises:
            ValueError: the state has no event.
        """
        return cls(
            entity=entity,
            base_offset=base_offset,
            offset=state.applied_offset,
            newest_event_time_ms=state.newest_event_time_ms or 0,
            names=group.names,
            lines=hash_lines(group, state.newest_vector()),
            delta=delta or state.delta(),
        )


class Written(NamedTuple):
    """The entities that two partitions have features of; the newer ones are shown."""

    conflicts: list[tuple[Partition, str]]


class Load(NamedTuple):
    """What to load of a partition, and the progress that it is expected to be at."""

    claim: Claim
    expected: Progress | None
    entities: Sequence[str]


class Finish(NamedTuple):
    """A partition's progress, from where to where, and up to which newest event time (ms) its entities may go.

    What the lateness rule knows only grows: `new` has seen what `expected` had.
    """

    claim: Claim
    expected: Progress | None
    new: Progress
    sweep_until_ms: int | None = None


Writes = Iterable[tuple[Claim, Iterable[EntityWrite]]]
"""The entities that a batch changed, partition by partition."""


class BatchWrite(Protocol):
    """The fenced writes of a batch in steps: `make` if you like, `send`, and `outcome` or `give_up`, each once."""

    def make(self) -> None:
        """Take all entities from the iterables now. Otherwise `send` does, while the first are being written."""

    def send(self) -> None:
        """Set off the writes.

        Raises:
            StoreUnavailable: the store does not answer. Some entities may have been written.
        """

    def outcome(self) -> Written:
        """Wait until everything has been written; as `OnlineStore.write`."""

    def give_up(self) -> None:
        """Do not wait. Some entities may have been written, or may be later, until the partition is claimed anew."""


class OnlineReader(Protocol):
    """What anybody may ask, without a claim. Nothing that it returns is ever half of a change.

    Every call raises `StoreUnavailable` when the store does not answer.
    """

    def ping(self) -> None:
        """Return if the store answers."""

    def close(self) -> None:
        """Give back what the store holds on to. Not to be used afterwards."""

    def state(self, group: str, entity: str) -> tuple[Partition, StoredState] | None:
        """The state that the entity's features were made from, and the partition that its events come from.

        None when it has no features, or when they outlived their state: another epoch has begun, or something was lost.
        """

    def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """What there is of each of some entities, in their order, in one round trip; None where there are no features.

        Each answer is of one moment. Two answers may be of different moments.
        """

    def features(self, group: str, entity: str) -> dict[str, str]:
        """What everybody reads of an entity; empty when there is nothing.

        The group's features by name as readable text, and `event_time` (epoch ms), `topic`, `partition`, `offset` of
        the newest event.
        """

    def all_features(self, group: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Every entity of a group that has features, once, in no order; and its features.

        Of entities that come or go meanwhile, some are there and some are not.
        """

    def progress(self, partition: Partition) -> Recorded | None:
        """How far a partition has been written; None when nothing is known of it, or it is just being cleared."""


class AsyncOnlineReader(Protocol):
    """Some of `OnlineReader` for a server that has many calls under way at once, all in one event loop.

    Every call raises `StoreUnavailable` when the store does not answer.
    """

    async def ping(self) -> None:
        """Return if the store answers."""

    async def close(self) -> None:
        """Give back what the store holds on to. Not to be used afterwards."""

    async def states(self, entities: Sequence[EntityName]) -> list[Found | None]:
        """As `OnlineReader.states`."""

    async def progress(self, partitions: Sequence[Partition]) -> list[Recorded | None]:
        """As `OnlineReader.progress`, of each of some partitions, in one round trip."""


class OnlineStore(OnlineReader, Protocol):
    """What a worker of a runtime and consumer group writes with.

    Every call raises `StoreUnavailable` when the store does not answer: back off and repeat it. Every call that takes
    a claim raises `StoreMismatch` when the partition is not the claim's any more: another worker has claimed it, or the
    store has lost it. Then the worker forgets what it knows of its partitions, and claims them again.
    """

    def check_writer(self, groups: Iterable[str]) -> None:
        """Return if these groups' features are this runtime's and consumer group's to write, or nobody's so far.

        Raises:
            OtherWriter: they are another's.
        """

    def claim(self, partition: Partition, epoch: str) -> tuple[Claim, Progress | None]:
        """Take a partition over from whoever had it; what is stored of another epoch is removed first.

        A removal that was interrupted is finished by the next claim, of whichever epoch. From the first claim on,
        the group's features are this runtime's and consumer group's to write.

        Returns:
            The claim, and the progress if there is one of this epoch.

        Raises:
            OtherWriter: the features are another runtime's, or another consumer group's. Nothing has been changed.
        """

    def forget(self, claim: Claim) -> None:
        """Remove all that is stored of a partition, its progress included; the claim stays good.

        Raises:
            StoreMismatch: the partition is not the claim's any more. Nothing has been removed.
            OtherWriter: the store has lost everything, and the features have become another's since.
        """

    def load(self, loads: Sequence[Load]) -> list[dict[str, StoredState | None]]:
        """The stored states of some entities, for each partition; None for an entity without one.

        Raises:
            StoreMismatch: a partition is not the claim's any more, or its progress is not the expected one.
        """

    def write(self, writes: Writes) -> Written:
        """Replace features and change states, each entity in one step.

        An entity that stands at the write's `offset` has been written already and is left alone. Where two partitions
        have an entity, each keeps a state; the features shown are of the newer event, of one time those of the higher
        partition.

        Raises:
            StoreMismatch: a partition is not the claim's any more, or an entity is not at its `base_offset`. Other
                entities may have been written; those of a refused entity or partition are as they were.
        """

    def writing(self, writes: Writes) -> BatchWrite:
        """The same in steps, for a caller who has other things to do meanwhile."""

    def finish(self, finishes: Sequence[Finish]) -> int:
        """Move the progress of some partitions on, and remove their outdated entities as `sweep` does.

        A worker forgets the entities removed too, since what it knows of them has no base any more.

        Returns:
            The number of entities removed.

        Raises:
            StoreMismatch: a partition is not the claim's any more, or stands neither where it was expected nor at the
                new offset; that one has not been changed.
        """

    def save_progress(self, moves: Sequence[tuple[Claim, Progress | None, Progress]]) -> None:
        """`finish` without removing anything: claim, expected and new progress of some partitions."""

    def sweep(self, sweeps: Sequence[tuple[Claim, int]]) -> int:
        """Remove the entities whose newest event is not newer than a time (ms), and return how many they were.

        Their features go too, unless they are another partition's. The time must not be ahead of what the stored
        progress implies, or a replay would miss what is gone.

        Raises:
            StoreMismatch: a partition is not the claim's any more.
        """
