"""The lateness rule: decided by the data of one partition alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.features.events import MIDDAY_MS, payment
from tests.reference import GROUPS
from twinstream.core.lateness import BEGINNING_MS, LatenessRule, LatenessState
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, WindowConfig

SECOND = 1_000
times_ms = st.integers(0, 2_000_000)


def rule(newest_ms: int | None = None) -> LatenessRule:
    return LatenessRule(30 * SECOND, 300 * SECOND, LatenessState(newest_ms))


def outcome(rule: LatenessRule, event_time_ms: int, timestamp_ms: int, append_timed: bool = True) -> str:
    """`ok`, or the reason for refusing."""
    try:
        rule.observe(event_time_ms, timestamp_ms, append_timed)
    except Rejected as rejected:
        return rejected.reason
    return "ok"


def test_before_any_record_nothing_is_late() -> None:
    assert rule().watermark_ms == BEGINNING_MS
    assert outcome(rule(), 0, 0) == "ok"


def test_watermark_is_newest_event_time_minus_allowed_lateness() -> None:
    moved = rule()
    moved.observe(100 * SECOND, 100 * SECOND)
    assert moved.watermark_ms == 70 * SECOND


def test_event_at_the_watermark_is_not_late() -> None:
    assert outcome(rule(100 * SECOND), 70 * SECOND, 100 * SECOND) == "ok"


def test_event_a_millisecond_before_the_watermark_is_late() -> None:
    assert outcome(rule(100 * SECOND), 70 * SECOND - 1, 100 * SECOND) == "late"


def test_event_ahead_of_the_log_by_the_allowed_skew_is_accepted() -> None:
    assert outcome(rule(), 300 * SECOND, 0) == "ok"


def test_event_a_millisecond_further_ahead_is_from_the_future() -> None:
    assert outcome(rule(), 300 * SECOND + 1, 0) == "future"


def test_bad_clock_does_not_move_the_watermark() -> None:
    steady = rule(100 * SECOND)
    assert outcome(steady, 32_503_680_000_000, 100 * SECOND) == "future"
    assert (steady.watermark_ms, steady.newest_ms) == (70 * SECOND, 100 * SECOND)


def test_late_record_does_not_move_the_watermark() -> None:
    steady = rule(100 * SECOND)
    assert outcome(steady, 0, 100 * SECOND) == "late"
    assert steady.watermark_ms == 70 * SECOND


def test_future_is_checked_before_late() -> None:
    """Both would hold when the log's own clock is far behind."""
    assert outcome(rule(1_000 * SECOND), 500 * SECOND, 100 * SECOND) == "future"


def test_rule_continues_from_its_state() -> None:
    first = rule()
    first.observe(123_456, 123_456)
    assert first.state == LatenessState(123_456)
    assert LatenessRule(30 * SECOND, 300 * SECOND, first.state).watermark_ms == first.watermark_ms


def test_detail_tells_by_how_much() -> None:
    with pytest.raises(Rejected, match="late: 1 ms older than the watermark"):
        rule(100 * SECOND).observe(70 * SECOND - 1, 0)
    with pytest.raises(Rejected, match="future: 300001 ms ahead of the log, 300000 allowed"):
        rule().observe(MIDDAY_MS + 300 * SECOND + 1, MIDDAY_MS)


@given(st.lists(st.tuples(times_ms, times_ms)))
def test_watermark_is_what_the_definition_says(records: list[tuple[int, int]]) -> None:
    ruled = rule()
    passed: list[int] = []
    for event_time_ms, timestamp_ms in records:
        watermark_ms = max(passed, default=BEGINNING_MS + 30 * SECOND) - 30 * SECOND
        assert ruled.watermark_ms == watermark_ms
        future = event_time_ms - timestamp_ms > 300 * SECOND
        expected = "future" if future else "late" if event_time_ms < watermark_ms else "ok"
        assert outcome(ruled, event_time_ms, timestamp_ms) == expected
        if not future:
            passed.append(event_time_ms)


@given(st.lists(st.tuples(times_ms, times_ms)))
def test_watermark_never_goes_back(records: list[tuple[int, int]]) -> None:
    ruled = rule()
    seen = [ruled.watermark_ms]
    for event_time_ms, timestamp_ms in records:
        outcome(ruled, event_time_ms, timestamp_ms)
        seen.append(ruled.watermark_ms)
    assert seen == sorted(seen)


@given(st.lists(times_ms, min_size=1), st.data())
def test_every_redelivery_is_late_or_a_duplicate(arrivals: list[int], data: st.DataObject) -> None:
    """However long after, and however often: an accepted event is never accepted twice."""
    ruled = rule()
    state = EntityState(GROUPS["order"], WindowConfig(300 * SECOND))
    accepted: list[tuple[int, str]] = []

    def deliver(time_ms: int, name: str, offset: int) -> str:
        watermark_ms = ruled.watermark_ms
        try:
            ruled.observe(time_ms, time_ms)
            state.insert(payment(time_ms, offset, id=name), watermark_ms)
        except Rejected as rejected:
            return rejected.reason
        accepted.append((time_ms, name))
        return "ok"

    for number, time_ms in enumerate(arrivals):
        deliver(time_ms, f"t{number}", 2 * number)
        again = data.draw(st.sampled_from(accepted))
        assert deliver(*again, 2 * number + 1) in ("late", "duplicate")


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 1_772_452_800])
def test_an_event_whose_record_has_no_timestamp_in_milliseconds_says_why_nobody_vouches(timestamp_ms: int) -> None:
    with pytest.raises(Rejected, match=f"future: nobody vouches for it: {timestamp_ms} is no Kafka timestamp in ms"):
        rule().observe(1_772_452_800_000, timestamp_ms)
