"""What would become of a dead letter's record if it were sent once more."""

import time
from dataclasses import dataclass
from enum import StrEnum

from twinstream.core.dead_letters import DeadLetter
from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import Rejected
from twinstream.letters.selection import Notes
from twinstream.letters.transform import Transform
from twinstream.settings import Settings


class Verdict(StrEnum):
    """What can be done about a record."""

    SEND = "re-driven"
    DONE = "re-driven before"
    CAME_BACK = "came back"
    DECLINED = "left by the script"
    LATE = "too late"
    DUPLICATE = "duplicate"
    REFUSED = "still refused"


REMEDIES = {
    Verdict.SEND: "its features change once a runtime has read it",
    Verdict.DONE: "nothing to do: a record is re-driven once",
    Verdict.CAME_BACK: "it was re-driven and refused again: repair it with --transform, and say --again",
    Verdict.DECLINED: "the script returned nothing for it",
    Verdict.LATE: "by design it cannot re-enter the stream: twinstream backfill --include-dead-letters",
    Verdict.DUPLICATE: "nothing to do: its first copy was accepted",
    Verdict.REFUSED: "repair it with --transform, or change what refuses it",
}
"""What to tell of each."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A dead letter and what can be done.

    Attributes:
        entity: whom the record is about; empty if that cannot be told.
        detail: what is in the way.
        value: what to send.
        key: of the record to send.
    """

    letter: DeadLetter
    verdict: Verdict
    entity: str = ""
    detail: str = ""
    value: bytes = b""
    key: bytes | None = None


class Judge:
    """Judges the dead letters of one topic.

    Args:
        group: whose source topic it is.
        settings: limits, as of the runtimes.
        notes: what has been re-driven.
        newest_ms: an event time that each source partition has certainly reached.
        transform: repairs records, if there is something to repair.
        even_late: late records may go, too.
        again: so may those that came back.
    """

    def __init__(
        self,
        group: FeatureGroup,
        settings: Settings,
        notes: Notes,
        newest_ms: dict[int, int],
        transform: Transform | None = None,
        even_late: bool = False,
        again: bool = False,
    ) -> None:
        self._group = group
        self._settings = settings
        self._notes = notes
        self._newest_ms = newest_ms
        self._transform = transform
        self._even_late = even_late
        self._again = again

    def judge(self, letter: DeadLetter) -> Judged:
        """What can be done about a dead letter.

        One that comes a second time, since its record was processed again after a reset, is done: once is enough.
        """
        at = letter.partition, letter.offset
        key = "" if letter.key is None else letter.key.decode(errors="replace")
        if at in self._notes.redriven:
            return Judged(letter, Verdict.DONE, key)
        if at in self._notes.came_back and not self._again:
            return Judged(letter, Verdict.CAME_BACK, key, letter.detail)
        value = letter.value if self._transform is None else self._transform(letter)
        if value is None and self._transform is not None:
            return Judged(letter, Verdict.DECLINED, key)
        judged = self._judge_value(letter, value or b"", key)
        if judged.verdict is Verdict.SEND:
            self._notes.redriven.add(at)
        return judged

    def _judge_value(self, letter: DeadLetter, value: bytes, key: str) -> Judged:
        limit = self._settings.max_record_bytes
        if len(value) > limit:
            return Judged(letter, Verdict.REFUSED, key, f"oversized: {len(value)} bytes, {limit} allowed")
        try:
            entity, event = self._group.decode(value, letter.offset)
        except Rejected as rejected:
            return Judged(letter, Verdict.REFUSED, key, str(rejected))
        if letter.reason == "duplicate" and self._is_of(letter, entity, event):
            return Judged(letter, Verdict.DUPLICATE, entity, letter.detail)
        ahead_ms = event.time_ms - time.time_ns() // 1_000_000
        if ahead_ms > self._settings.max_future_skew_ms:
            return Judged(letter, Verdict.REFUSED, entity, f"future: {ahead_ms} ms ahead of now")
        same_key = letter.key == entity.encode()
        reached = self._newest_ms.values() if not same_key else [self._newest_ms.get(letter.partition)]
        newest_ms = min((each for each in reached if each is not None), default=None)
        if newest_ms is not None and not self._even_late:
            behind_ms = newest_ms - self._settings.lateness_ms - event.time_ms
            if behind_ms > 0:
                return Judged(letter, Verdict.LATE, entity, f"{behind_ms} ms older than the watermark by now")
        return Judged(letter, Verdict.SEND, entity, "", value, entity.encode())

    def _is_of(self, letter: DeadLetter, entity: str, event: RetainedEvent) -> bool:
        """Whether a dead letter's own record, by today's rules, is of an event."""
        try:
            before, own = self._group.decode(letter.value, letter.offset)
        except Rejected:
            return False
        return (before, own.time_ms, own.id) == (entity, event.time_ms, event.id)
