"""What would become of a dead letter's record if it were sent once more.

Several groups may read its topic. A record is sent for all of them at once, so it can go when one of them would take it
that has not had it; a group that accepted it before then refuses the second copy as a duplicate.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from twinstream.core.dead_letters import DeadLetter
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
    TWICE = "would count twice"


REMEDIES = {
    Verdict.SEND: "its features change once a runtime has read it",
    Verdict.DONE: "nothing to do: a record is re-driven once",
    Verdict.CAME_BACK: "it was re-driven and refused again: repair it with --transform, and say --again",
    Verdict.DECLINED: "the script returned nothing for it",
    Verdict.LATE: "by design it cannot re-enter the stream: twinstream backfill --include-dead-letters",
    Verdict.DUPLICATE: "nothing to do: its first copy was accepted",
    Verdict.REFUSED: "repair it with --transform, or change what refuses it",
    Verdict.TWICE: "a group that has accepted it would take the repaired one as new: leave its id and event time",
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
        groups: the names of those that would take it.
    """

    letter: DeadLetter
    verdict: Verdict
    entity: str = ""
    detail: str = ""
    value: bytes = b""
    key: bytes | None = None
    groups: tuple[str, ...] = ()


class Judge:
    """Judges the dead letters of one topic.

    Args:
        groups: those that read it.
        settings: limits, as of the runtimes.
        notes: what has been re-driven.
        newest_ms: by group, an event time that each source partition has certainly reached.
        transform: repairs records, if there is something to repair.
        even_late: late records may go, too.
        again: so may those that came back.
    """

    def __init__(
        self,
        groups: Sequence[FeatureGroup],
        settings: Settings,
        notes: Notes,
        newest_ms: Mapping[str, Mapping[int, int]],
        transform: Transform | None = None,
        even_late: bool = False,
        again: bool = False,
    ) -> None:
        self._groups = groups
        self._settings = settings
        self._notes = notes
        self._newest_ms = newest_ms
        self._transform = transform
        self._even_late = even_late
        self._again = again

    def judge(self, letter: DeadLetter) -> Judged:
        """What can be done about a dead letter.

        One record may have several, of groups that refused it for different reasons, and the same one again, since it
        was processed again after a reset. It is sent once; then all of them are done.
        """
        at = letter.partition, letter.offset
        key = "" if letter.key is None else letter.key.decode(errors="replace")
        if at in self._notes.redriven:
            return Judged(letter, Verdict.DONE, key)
        if at in self._notes.came_back and not self._again:
            # Sent back for one group, a record is a duplicate for another that had accepted it.
            verdict = Verdict.DUPLICATE if letter.reason == "duplicate" else Verdict.CAME_BACK
            return Judged(letter, verdict, key, letter.detail)
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
        concerned = [group for group in self._groups if _may_be_of(group, letter)] or self._groups
        judged = {group.name: self._judge_for(group, letter, value, key, group in concerned) for group in self._groups}
        for each in judged.values():
            if each.verdict is Verdict.TWICE:
                return each
        takers = tuple(name for name, each in judged.items() if each.verdict is Verdict.SEND)
        if takers:
            return replace(judged[takers[0]], groups=takers)
        return judged[concerned[0].name]

    def _judge_for(self, group: FeatureGroup, letter: DeadLetter, value: bytes, key: str, is_concerned: bool) -> Judged:
        """What one group would say of the value, if the letter may be of this group or if it is not concerned."""
        try:
            entity, event = group.decode(value, letter.offset)
        except Rejected as rejected:
            return Judged(letter, Verdict.REFUSED, key, str(rejected))
        if letter.reason == "duplicate" or not is_concerned:
            had = _own_event(group, letter)
            if had == (entity, event.time_ms, event.id):
                return Judged(letter, Verdict.DUPLICATE, entity, letter.detail)
            if had is not None and not is_concerned:
                return Judged(letter, Verdict.TWICE, entity, group.name)
        ahead_ms = event.time_ms - time.time_ns() // 1_000_000
        if ahead_ms > self._settings.max_future_skew_ms:
            return Judged(letter, Verdict.REFUSED, entity, f"future: {ahead_ms} ms ahead of now")
        same_key = letter.key == entity.encode()
        newest = self._newest_ms.get(group.name, {})
        reached = newest.values() if not same_key else [newest.get(letter.partition)]
        newest_ms = min((each for each in reached if each is not None), default=None)
        if newest_ms is not None and not self._even_late:
            behind_ms = newest_ms - self._settings.lateness_ms - event.time_ms
            if behind_ms > 0:
                return Judged(letter, Verdict.LATE, entity, f"{behind_ms} ms older than the watermark by now")
        return Judged(letter, Verdict.SEND, entity, "", value, entity.encode())


def _may_be_of(group: FeatureGroup, letter: DeadLetter) -> bool:
    """Whether a dead letter, which names no group, may say why this one refused the record: by today's definitions.

    If it says so of other groups only, this one has accepted the record, or has a letter of its own. If it says so of
    none, the definitions have changed since.
    """
    try:
        group.decode(letter.value, letter.offset)
    except Rejected as rejected:
        return (rejected.reason, rejected.detail) == (letter.reason, letter.detail)
    if letter.reason == "internal":
        raised = letter.detail.rpartition(" raised ")[0]
        names = {each.name for each in group.features} | {each.family for each in group.features}
        return raised in names or raised == "an aggregate"
    return letter.reason in ("future", "late", "duplicate")


def _own_event(group: FeatureGroup, letter: DeadLetter) -> tuple[str, int, str] | None:
    """Entity, time and id of a dead letter's own record, by today's rules; None if it is no event by those."""
    try:
        entity, event = group.decode(letter.value, letter.offset)
    except Rejected:
        return None
    return entity, event.time_ms, event.id
