"""Stamping: what each record of a partition is worth, decided in offset order from the partition's own data.

Every runtime stamps with this. A record comes out as an event with the watermark at its arrival, or as a dead letter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.lateness import BEGINNING_MS, NOTHING_SEEN, LatenessRule, LatenessState
from twinstream.core.rejection import Rejected


class SourceRecord(Protocol):
    """A record of a source log, whichever client read it. Times in epoch ms.

    `append_timed` tells whether the broker set the timestamp when it appended the record, or its producer before.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def append_timed(self) -> bool: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Stamped(Struct, frozen=True, gc=False):
    """A decoded record that is neither late nor from the future.

    Attributes:
        record: as it came.
        entity: whom it is about.
        event: what the window keeps of it.
        watermark_ms: of its partition when it arrived.
    """

    record: SourceRecord
    entity: str
    event: RetainedEvent
    watermark_ms: int


@dataclass(frozen=True, slots=True)
class StampingLimits:
    """What decides on a record before its entity is looked at: bytes, and milliseconds of event time."""

    max_record_bytes: int
    allowed_lateness_ms: int
    max_future_skew_ms: int


class Stamper:
    """Stamps the records of one partition, which must come in offset order.

    Attributes:
        faults: the records that a group's `decode` failed on, until somebody takes them from here.
    """

    def __init__(self, group: FeatureGroup, limits: StampingLimits, lateness: LatenessState = NOTHING_SEEN) -> None:
        """Continue after the records that brought the lateness rule to a state."""
        self._decode = group.decode
        self._limits = limits
        self.faults: list[Rejected] = []
        self.continue_after(lateness)

    def continue_after(self, lateness: LatenessState) -> None:
        """Go on after the records that brought the lateness rule to this state."""
        self._rule = LatenessRule(self._limits.allowed_lateness_ms, self._limits.max_future_skew_ms, lateness)

    @property
    def lateness(self) -> LatenessState:
        """The state of the lateness rule."""
        return self._rule.state

    @property
    def watermark_ms(self) -> int:
        """Where the partition stands now."""
        return self._rule.watermark_ms

    def stamp(self, records: Iterable[SourceRecord]) -> list[Stamped | DeadLetter]:
        """Each record as an event to apply or as a dead letter, in order."""
        rule, decode, max_bytes = self._rule, self._decode, self._limits.max_record_bytes
        stamped: list[Stamped | DeadLetter] = []
        for record in records:
            watermark_ms = rule.watermark_ms
            event_time_ms = None
            try:
                value = record.value
                if value is not None and len(value) > max_bytes:
                    raise Rejected("oversized", f"{len(value)} bytes, {max_bytes} allowed")
                entity, event = decode(value, record.offset)
                event_time_ms = event.time_ms
                rule.observe(event_time_ms, record.timestamp, record.append_timed)
            except Rejected as rejected:
                if rejected.reason == "internal":
                    self.faults.append(rejected)
                stamped.append(dead_letter(record, rejected, watermark_ms, event_time_ms))
            else:
                stamped.append(Stamped(record, entity, event, watermark_ms))
        return stamped


def dead_letter(
    record: SourceRecord, rejected: Rejected, watermark_ms: int, event_time_ms: int | None = None
) -> DeadLetter:
    """The dead letter of a refused record, given the watermark at its arrival and its event time if it is known."""
    known = watermark_ms > BEGINNING_MS
    return DeadLetter(
        reason=rejected.reason,
        detail=rejected.detail,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        watermark=watermark_ms if known else None,
        lateness_ms=watermark_ms - event_time_ms if known and event_time_ms is not None else None,
        key=record.key,
        value=record.value,
    )
