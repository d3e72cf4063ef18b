"""The third runtime: the same steps over history, a shard of the entities at a time.

A shard is a sequence of records in log order that has all of its entities' records: a partition of a topic, or the rows
of some cards in a file. Shards share nothing, so they run on all cores.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import BEGINNING_MS
from twinstream.core.partition import PartitionProcessor
from twinstream.core.rejection import Rejected
from twinstream.core.stamping import SourceRecord, Stamped, StampingLimits
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureRecord
from twinstream.log.rows import short
from twinstream.offline.outcome import Outcome
from twinstream.settings import Settings

BATCH_RECORDS = 5_000

MOST_STATES = 50_000
"""States in memory before the first sweep."""

Item = TypeVar("Item")
Emit = Callable[[Sequence[FeatureRecord]], None]


def replay(
    group: FeatureGroup,
    records: Iterable[SourceRecord],
    settings: Settings,
    emit: Emit,
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> Outcome:
    """Compute the vectors of a shard as the live runtimes did: as known then.

    Args:
        group: what is computed.
        records: the shard, in log order.
        settings: window, lateness and limits.
        emit: gets the feature records, batch by batch.
        advance: told how many records were done.

    Returns:
        How many were accepted, and why the others were set aside.
    """
    partition = new_processor(group, settings)
    states = States()
    replayed = Outcome()
    for batch in batched(records):
        known = states.after(partition.sweep_until_ms)
        applied = partition.apply(partition.stamp(batch), known)
        emit(applied.features)
        replayed.good += len(applied.features)
        for letter in applied.dead_letters:
            replayed.refuse(letter.reason, _example(letter))
        advance(len(batch))
    return replayed


def replay_as_known_now(
    group: FeatureGroup,
    records: Iterable[SourceRecord],
    settings: Settings,
    emit: Emit,
    *,
    advance: Callable[[int], None] = lambda count: None,
) -> Outcome:
    """Compute the vectors of a shard as if every record, the late ones included, had come in order of event time.

    All events of the shard are in memory at once, since the last of them may be the oldest; their bytes are not.
    Arguments as of `replay`.
    """
    partition = new_processor(group, settings)
    replayed = Outcome()
    events: list[Stamped] = []
    for batch in batched(records):
        for item in partition.stamp(batch):
            if isinstance(item, Stamped):
                entity, event = item.entity, item.event
            elif item.reason == "late":
                entity, event = group.decode(item.value, item.offset)
            else:
                replayed.refuse(item.reason, _example(item))
                continue
            origin = _Origin(item.record if isinstance(item, Stamped) else item)
            events.append(Stamped(origin, entity, event, event.time_ms))
        advance(len(batch))
    events.sort(key=lambda item: (item.event.time_ms, item.event.offset))
    states = States()
    window = WindowConfig(settings.window_ms, settings.max_events_per_entity)
    for ordered in batched(events):
        emitted = []
        known = states.after(ordered[0].event.time_ms - window.size_ms)
        for stamped in ordered:
            state = known.get(stamped.entity)
            if state is None:
                state = known[stamped.entity] = EntityState(group, window)
            try:
                vector = state.insert(stamped.event, stamped.watermark_ms)
            except Rejected as rejected:
                replayed.refuse(rejected.reason, rejected.detail)
            else:
                emitted.append(partition.feature_record(stamped, vector))
        replayed.good += len(emitted)
        emit(emitted)
    return replayed


def _example(letter: DeadLetter) -> str:
    return f"{letter.detail}, in {short(letter.value or b'')}"


class _Origin:
    """Where a record came from, without its bytes."""

    __slots__ = ("append_timed", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(self, record: SourceRecord | DeadLetter) -> None:
        self.topic = record.topic
        self.partition = record.partition
        self.offset = record.offset
        self.timestamp = record.timestamp
        self.append_timed = True  # it has been judged
        self.key: bytes | None = None
        self.value: bytes | None = None


class States:
    """The states of a shard's entities; those that no later record can need are swept when they have become many."""

    def __init__(self) -> None:
        self._states: dict[str, EntityState] = {}
        self._sweep_at = MOST_STATES

    def after(self, until_ms: int) -> dict[str, EntityState]:
        """The states, those of entities that have had no event after a moment swept if it is time."""
        if len(self._states) > self._sweep_at:
            self._states = {
                entity: state
                for entity, state in self._states.items()
                if (state.newest_event_time_ms or BEGINNING_MS) > until_ms
            }
            self._sweep_at = max(MOST_STATES, 2 * len(self._states))
        return self._states


def new_processor(group: FeatureGroup, settings: Settings) -> PartitionProcessor[FeatureRecord]:
    """A partition before its first record, with the live runtimes' settings."""
    window = WindowConfig(settings.window_ms, settings.max_events_per_entity)
    limits = StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms)
    return PartitionProcessor(group, window, limits, lambda record: record)


def batched(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of up to BATCH_RECORDS."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH_RECORDS)):
        yield batch
