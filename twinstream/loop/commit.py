"""The commit protocol of the loop, step by step.

One batch becomes visible like this, and in no other order:

1. OUTPUT_SENT: feature log and dead letters are sent in a Kafka transaction.
2. OFFSETS_SENT: the offsets after the batch join the transaction, with each group's mark beside them.
3. TRANSACTION_COMMITTED: Kafka has the batch. Until here a crash leaves no trace of it.
4. FEATURES_WRITTEN: Redis has the vectors and states, each written only onto the state it was computed from.
5. PROGRESS_SAVED: Redis knows that it has them, and what the watermark has passed is swept.

After a crash between 3 and 5 the batch is applied again from Redis' progress on, silently, and entities that had been
written skip what they have applied. Tests kill the process after each step by its name.

No waiting time is left unused: while Kafka takes the output, the writes to Redis are made; while Redis executes them,
the next batch is read and applied. So `commit` ends with the writes sent, and `settle` does steps 4 and 5 before
anything of the next batch is made visible.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.core.lateness import BEGINNING_MS, LatenessState
from twinstream.core.partition import Applied, PartitionProcessor
from twinstream.core.stamping import Stamped
from twinstream.core.state import EntityState
from twinstream.core.vectors import FeatureMessage
from twinstream.log.contract import Committed, EventLog, TopicPartition
from twinstream.loop.recovery import Marks, committing
from twinstream.lru_cache import LruCache
from twinstream.online.contract import EntityWrite, OnlineStore, Partition, Progress
from twinstream.online.write_behind import Held, Part, Prepared, Published


class Step(StrEnum):
    """Every point of a batch's life that a crash can fall behind."""

    POLLED = "polled"
    LOADED = "loaded"
    APPLIED = "applied"
    OUTPUT_SENT = "output sent"
    OFFSETS_SENT = "offsets sent"
    TRANSACTION_COMMITTED = "transaction committed"
    FEATURES_WRITTEN = "features written"
    PROGRESS_SAVED = "progress saved"


Reached = Callable[[Step], None]


@dataclass(slots=True)
class Assigned:
    """A group's part of a partition that this worker owns.

    Attributes:
        source: topic and number.
        partition: applies records.
        held: the right to write its states, and how far Redis is known to have them.
        emit_from: results below this offset have been emitted.
        rebuilt_at: from this offset on, Redis has all again that it had lost; 0 when it had lost nothing.
        feature_topic, dead_letter_topic: where its results go.
        swept_until_ms: once the last batch is settled, Redis has no entity whose newest event is not newer than this.
        states: the entities in memory.
    """

    source: TopicPartition
    partition: PartitionProcessor[FeatureMessage]
    held: Held
    emit_from: int
    rebuilt_at: int
    feature_topic: str
    dead_letter_topic: str
    swept_until_ms: int = BEGINNING_MS
    states: LruCache[str, EntityState] = field(default_factory=LruCache)

    def not_kept(self, items: list[Stamped | DeadLetter]) -> list[str]:
        """The entities to load; those in memory that have been swept from Redis are forgotten here, too."""
        wanted = {item.entity for item in items if isinstance(item, Stamped)}
        kept = wanted & self.states.keys()
        for entity in kept:
            if self.outdated(self.states[entity]):
                del self.states[entity]
        return list(wanted - kept)

    def outdated(self, state: EntityState) -> bool:
        """Whether the entity has been swept from Redis, or will be before anything else is written."""
        newest_ms = state.newest_event_time_ms
        return newest_ms is not None and newest_ms <= self.swept_until_ms


@dataclass(slots=True)
class AssignedPartition:
    """A partition that this worker owns.

    Attributes:
        source: topic and number.
        topic_id: of the topic.
        parts: of each group that reads it.
        marks: what is committed beside its offset.
    """

    source: TopicPartition
    topic_id: str
    parts: list[Assigned]
    marks: Marks


@dataclass(slots=True)
class Portion:
    """What a batch is to one group in one partition.

    Attributes:
        owner: the group's part of the partition.
        records: how many records it has not seen the outcome of before.
        oldest_ms, newest_ms: when the first and the last of its records were appended to the log (epoch ms).
        applied: what came out; of the feature log, keys and values.
        progress: where the group stands after the batch.
        sweep_until_ms: up to which newest event time its entities may then go.
    """

    owner: Assigned
    records: int
    oldest_ms: int
    newest_ms: int
    applied: Applied[FeatureMessage]
    progress: Progress
    sweep_until_ms: int


@dataclass(slots=True)
class Unsettled:
    """A batch that Kafka has, and that is on its way to Redis.

    Attributes:
        batch: its portions.
        published: its writes, on their way.
        started_s: when it was polled, by the monotonic clock.
    """

    batch: list[Portion]
    published: Published
    started_s: float


def commit(
    log: EventLog,
    store: OnlineStore,
    owned: Mapping[TopicPartition, AssignedPartition],
    batch: list[Portion],
    started_s: float,
    reached: Reached,
) -> Unsettled:
    """Make a batch visible in Kafka and send its writes to Redis: the protocol above up to step 3.

    Raises:
        LogError: Kafka failed; the outcome may be unknown.
        StoreUnavailable: Redis failed.
    """
    prepared = Prepared(store, [_part(portion) for portion in batch])
    emitting = [portion for portion in batch if portion.progress.next_offset > portion.owner.emit_from]
    if emitting:
        with log.transaction() as transaction:
            for portion in emitting:
                number = portion.owner.source.partition
                for key, value in portion.applied.features:
                    transaction.send(portion.owner.feature_topic, key, value, number)
                for letter in portion.applied.dead_letters:
                    transaction.send(portion.owner.dead_letter_topic, letter.key, encode_dead_letter(letter), number)
            reached(Step.OUTPUT_SENT)
            marks = _marks_after(owned, emitting)
            transaction.commit_offsets({source: _committed(owned[source], marks[source]) for source in marks})
            prepared.make()
            transaction.flush()
            reached(Step.OFFSETS_SENT)
            transaction.commit()
        for source, after in marks.items():
            owned[source].marks = after
    reached(Step.TRANSACTION_COMMITTED)
    return Unsettled(batch, prepared.publish(), started_s)


def settle(unsettled: Unsettled, reached: Reached) -> list[tuple[Partition, str]]:
    """Wait until Redis has a batch, and save the progress: the last steps of the protocol.

    Returns:
        The entities written that another partition has features of, too.

    Raises:
        StoreUnavailable, StoreMismatch: Redis failed, or is not what it was when the batch was computed.
    """
    conflicts = unsettled.published.settle(lambda: reached(Step.FEATURES_WRITTEN))
    reached(Step.PROGRESS_SAVED)
    return conflicts


def _marks_after(
    owned: Mapping[TopicPartition, AssignedPartition], emitting: Iterable[Portion]
) -> Mapping[TopicPartition, Marks]:
    """C of all groups after the batch, in the partitions where it moves."""
    after: dict[TopicPartition, dict[str, tuple[int, LatenessState]]] = {}
    for portion in emitting:
        source, group = portion.owner.source, portion.owner.partition.group.name
        after.setdefault(source, dict(owned[source].marks))[group] = portion.progress
    return after


def _committed(partition: AssignedPartition, marks: Marks) -> Committed:
    """The offset to commit, with what a rebuild needs to know beside it."""
    return committing(partition.topic_id, marks, [part.partition.group.name for part in partition.parts])


def _writes(portion: Portion) -> Iterator[EntityWrite]:
    """A fenced write for each entity that the portion changed."""
    group, states = portion.owner.partition.group, portion.owner.states
    for entity, base_offset in portion.applied.changed.items():
        yield EntityWrite.of(group, entity, base_offset, states[entity])


def _part(portion: Portion) -> Part:
    """What the store is to have of a portion."""
    return Part(portion.owner.held, _writes(portion), portion.progress, portion.sweep_until_ms)
