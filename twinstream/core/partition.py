"""One group's reading of a partition: its records in, feature-log records, dead letters and changed states out.

This is all that happens to a batch between reading and writing; the loop, the PyFlink job and the offline replay
differ only in where states are kept and where results go. It is deterministic: how the log is cut into batches cannot
be told from the results.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.core.rejection import Rejected
from twinstream.core.stamping import SourceRecord, Stamped, Stamper, StampingLimits, dead_letter
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureRecord

F = TypeVar("F")


@dataclass(slots=True)
class Applied(Generic[F]):
    """What a batch of one partition brought about.

    Attributes:
        features: the feature-log record of each accepted event, in offset order, as `emit` made it.
        dead_letters: in offset order.
        changed: entities whose state changed, with the applied offset that their state had before the batch.
        replayed: records whose outcome has been emitted by an earlier run.
        faults: what definitions raised, with the traceback on the cause; for the log of whoever runs this.
    """

    features: list[F] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    faults: list[Rejected] = field(default_factory=list)


class PartitionProcessor(Generic[F]):
    """Applies the records of one partition to the states of one group's entities, in offset order.

    Args:
        group: what is computed.
        window: size and bounds of the windows.
        limits: of stamping.
        emit: what to make of each feature-log record at once, while the processor has it at hand.
        start_at: records before this offset are not looked at.
        lateness: state of the lateness rule to continue from, as it is before that offset.
        emit_from: results of records before this offset have been emitted by an earlier run and are not again.
        forget_until_ms: such replayed records change nothing any more when their event is not newer than this.
    """

    def __init__(
        self,
        group: FeatureGroup,
        window: WindowConfig,
        limits: StampingLimits,
        emit: Callable[[FeatureRecord], F],
        *,
        start_at: int = 0,
        lateness: LatenessState = NOTHING_SEEN,
        emit_from: int = 0,
        forget_until_ms: int | None = None,
    ) -> None:
        self.group = group
        self.start_at = start_at
        self._window = window
        self._stamper = Stamper(group, limits, lateness)
        self._emit = emit
        self._emit_from = emit_from
        self._forget_until_ms = forget_until_ms
        self._sweep_after_ms = window.size_ms + limits.allowed_lateness_ms

    @property
    def lateness(self) -> LatenessState:
        """What the lateness rule knows of the records stamped so far."""
        return self._stamper.lateness

    @property
    def sweep_until_ms(self) -> int:
        """Entities whose newest event is not newer than this are to be removed."""
        return self._stamper.watermark_ms - self._sweep_after_ms

    @property
    def emitted_until(self) -> int:
        """Results of records before this offset have been emitted by an earlier run."""
        return max(self.start_at, self._emit_from)

    def stamp(self, records: Sequence[SourceRecord]) -> list[Stamped | DeadLetter]:
        """Decode the next records and apply the lateness rule; `apply` takes the result."""
        if records and records[0].offset < self.start_at:
            records = [record for record in records if record.offset >= self.start_at]
        return self._stamper.stamp(records)

    def stamped_as(self, other: "PartitionProcessor[F]") -> None:
        """Go on after the records that another processor has just stamped, which knew before them what this one did."""
        self._stamper.continue_after(other.lateness)

    def apply(self, stamped: Sequence[Stamped | DeadLetter], states: MutableMapping[str, EntityState]) -> Applied[F]:
        """Apply stamped records to the states of their entities.

        Args:
            stamped: what `stamp` returned.
            states: of every entity among them that has one; the others get one here.
        """
        applied: Applied[F] = Applied(faults=self._stamper.faults)
        self._stamper.faults = []
        for item in stamped:
            if isinstance(item, DeadLetter):
                self._emit_dead_letter(item, applied)
            else:
                self._apply_event(item, states, applied)
        return applied

    def _apply_event(self, item: Stamped, states: MutableMapping[str, EntityState], applied: Applied[F]) -> None:
        event, entity, record = item.event, item.entity, item.record
        replayed = event.offset < self._emit_from
        state = states.get(entity)
        if state is None:
            state = states[entity] = EntityState(self.group, self._window)
        before = state.applied_offset
        if event.offset <= before or (
            replayed and self._forget_until_ms is not None and event.time_ms <= self._forget_until_ms
        ):
            applied.replayed += 1
            return
        try:
            vector = state.insert(event, item.watermark_ms)
        except Rejected as rejected:
            if rejected.reason == "internal":
                applied.faults.append(rejected)
            self._emit_dead_letter(dead_letter(record, rejected, item.watermark_ms, event.time_ms), applied)
            return
        applied.changed.setdefault(entity, before)
        if replayed:
            applied.replayed += 1
            return
        applied.features.append(self._emit(self.feature_record(item, vector)))

    def feature_record(self, item: Stamped, vector: msgspec.Struct) -> FeatureRecord:
        """What the feature log says of an accepted event: the vector at its time, and where it came from."""
        record, event = item.record, item.event
        return FeatureRecord(
            group=self.group.name,
            version=self.group.version,
            entity=item.entity,
            event_id=event.id,
            event_time=event.time_ms,
            topic=record.topic,
            partition=record.partition,
            offset=event.offset,
            timestamp=record.timestamp,
            features=vector,
        )

    def _emit_dead_letter(self, letter: DeadLetter, applied: Applied[F]) -> None:
        if letter.offset < self._emit_from:
            applied.replayed += 1
        else:
            applied.dead_letters.append(letter)
