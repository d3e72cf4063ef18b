"""What becomes of dead letters, judged one after the other."""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.definitions.domestic import domestic
from tests.definitions.spending import spending
from tests.reference import GROUPS
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import Reason, Rejected
from twinstream.letters import redriving
from twinstream.letters.redriving import newest_event_times
from twinstream.letters.selection import Notes
from twinstream.letters.transform import Transform
from twinstream.letters.verdicts import Judge, Judged, Verdict
from twinstream.log.kafka import Record
from twinstream.settings import Settings

TRANSACTION = GROUPS["transaction"]
ALL = TRANSACTION, spending, domestic
NOT_IN_DOLLARS = "not in US dollars - at `$.currency`"
NOW_MS = time.time_ns() // 1_000_000


def payment(**changed: Any) -> bytes:
    record = {"transaction_id": "t1", "event_time": NOW_MS, "card_id": "c1", "amount": 10, "currency": "EUR"}
    return json.dumps(record | changed).encode()


def letter_of(reason: Reason, detail: str, value: bytes, **changed: Any) -> DeadLetter:
    return DeadLetter(
        **{
            "reason": reason,
            "detail": detail,
            "topic": "transactions",
            "partition": 0,
            "offset": 7,
            "timestamp": NOW_MS,
            "watermark": None,
            "lateness_ms": None,
            "key": b"c1",
            "value": value,
        }
        | changed
    )


def judged(
    letters: Iterable[DeadLetter],
    groups: tuple[FeatureGroup, ...] = ALL,
    transform: Transform | None = None,
    notes: Notes | None = None,
    newest_ms: dict[str, dict[int, int]] | None = None,
) -> list[Judged]:
    judge = Judge(groups, Settings(), notes or Notes(set(), set()), newest_ms or {}, transform)
    return [judge.judge(letter) for letter in letters]


def verdicts(results: Iterable[Judged]) -> list[tuple[Verdict, tuple[str, ...]]]:
    return [(each.verdict, each.groups) for each in results]


def script(folder: Path, before: str, after: str) -> Transform:
    """A repair that replaces a text of the record."""
    path = folder / "repair.py"
    path.write_text(
        f"import json\n\ndef transform(record, letter):\n"
        f"    return json.loads(json.dumps(record).replace({before!r}, {after!r}))\n"
    )
    return Transform(path)


def test_a_letter_that_is_in_its_topic_twice_is_re_driven_once() -> None:
    """So it is after a reset of the group's offsets: the records are processed, and set aside, again."""
    letter = letter_of("future", "", payment())
    results = judged([letter, letter], (TRANSACTION,))
    assert verdicts(results) == [(Verdict.SEND, ("transaction",)), (Verdict.DONE, ())]


def test_what_one_group_accepted_is_not_sent_for_another_that_still_refuses_it() -> None:
    (result,) = judged([letter_of("schema", NOT_IN_DOLLARS, payment())])
    assert (result.verdict, result.detail) == (Verdict.REFUSED, f"schema: {NOT_IN_DOLLARS}")


def test_what_one_group_accepted_is_sent_once_another_would_take_it(tmp_path: Path) -> None:
    """The others refuse the second copy as a duplicate."""
    letter = letter_of("schema", NOT_IN_DOLLARS, payment())
    results = judged([letter, letter], transform=script(tmp_path, "EUR", "USD"))
    assert verdicts(results) == [(Verdict.SEND, ("domestic",)), (Verdict.DONE, ())]


def test_what_a_group_has_accepted_is_not_sent_as_another_event(tmp_path: Path) -> None:
    """It would count the record twice."""
    letter = letter_of("schema", NOT_IN_DOLLARS, payment())
    path = tmp_path / "another.py"
    path.write_text("def transform(record, letter): return record | {'currency': 'USD', 'transaction_id': 't2'}")
    (result,) = judged([letter], transform=Transform(path))
    assert (result.verdict, result.detail) == (Verdict.TWICE, "transaction")


@pytest.mark.parametrize(
    ("repaired", "takers"), [("USD", ("transaction", "spending", "domestic")), ("EUR", ("transaction", "spending"))]
)
def test_letters_of_one_record_lead_to_one_record_for_all_that_take_it(
    repaired: str, takers: tuple[str, ...], tmp_path: Path
) -> None:
    """Groups that decode differently stand at different watermarks, so that their letters differ."""
    value = payment(currency="usd")
    with pytest.raises(Rejected) as refusal:
        TRANSACTION.decode(value, 7)
    letters = [letter_of("schema", refusal.value.detail, value, watermark=each) for each in (NOW_MS, NOW_MS - 9)]
    results = judged(letters, transform=script(tmp_path, "usd", repaired))
    assert verdicts(results) == [(Verdict.SEND, takers), (Verdict.DONE, ())]


def test_a_record_that_one_groups_feature_raised_on_is_sent_for_that_group() -> None:
    (result,) = judged([letter_of("internal", "max_speed_kmh raised ZeroDivisionError", payment(currency="USD"))])
    assert verdicts([result]) == [(Verdict.SEND, ("transaction",))]


def test_a_letter_that_no_group_would_write_any_more_is_of_any_that_takes_the_record_now() -> None:
    """Its definitions have changed since."""
    (result,) = judged([letter_of("schema", "a rule of yesterday", payment())])
    assert verdicts([result]) == [(Verdict.SEND, ("transaction", "spending"))]


def test_an_oversized_record_was_refused_by_all_groups() -> None:
    (result,) = judged([letter_of("oversized", "20 bytes, 10 allowed", payment(currency="USD"))])
    assert verdicts([result]) == [(Verdict.SEND, ("transaction", "spending", "domestic"))]


def test_whether_a_record_is_late_is_each_groups_own_matter() -> None:
    ahead = {0: NOW_MS + 60_000}
    letter = letter_of("future", "", payment(currency="USD"))
    newest_ms = {"transaction": ahead, "spending": ahead, "domestic": {0: NOW_MS}}
    assert verdicts(judged([letter], newest_ms=newest_ms)) == [(Verdict.SEND, ("domestic",))]
    assert verdicts(judged([letter], newest_ms=newest_ms | {"domestic": ahead})) == [(Verdict.LATE, ())]


def test_a_re_driven_record_that_a_group_had_is_its_duplicate_and_needs_nothing() -> None:
    letters = [
        letter_of("duplicate", "t1 was accepted before at this event time", payment()),
        letter_of("schema", NOT_IN_DOLLARS, payment()),
    ]
    results = judged(letters, notes=Notes(set(), {(0, 7)}))
    assert [each.verdict for each in results] == [Verdict.DUPLICATE, Verdict.CAME_BACK]


def test_event_time_has_got_as_far_as_the_groups_that_decode_alike_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them may have come to the topic lately; what other decoders accept says nothing of these."""
    logs = {"transaction": {0: 500, 1: 300}, "spending": {0: 100}, "domestic": {0: 900}}

    def read_topic(settings: Settings, topic: str, **_: Any) -> Iterator[Record]:
        for partition, time_ms in logs[topic.removeprefix("features.")].items():
            row = {"event_time": time_ms, "partition": partition}
            yield Record(topic, partition, 0, 0, None, msgspec.json.encode(row))

    monkeypatch.setattr(redriving, "read_topic", read_topic)
    monkeypatch.setattr(redriving, "end_offsets", lambda settings, topic: {0: 1})
    alike = {0: 500, 1: 300}
    assert newest_event_times(Settings(), ALL) == {"transaction": alike, "spending": alike, "domestic": {0: 900}}
