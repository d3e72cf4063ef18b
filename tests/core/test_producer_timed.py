"""The lateness rule where Kafka keeps the producers' timestamps, which vouch for nothing.

Times are seconds after a start; a record is (event time, what becomes of it). Its Kafka timestamp is its event time, as
a producer sends it whose one clock stamps both.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_lateness import outcome
from twinstream.core.lateness import NOTHING_SEEN, RUN_LENGTH, LatenessRule, LatenessState
from twinstream.job.keyed_partition import Mark
from twinstream.loop.recovery import committing, marks_of
from twinstream.online.redis.progress import lateness_of, lateness_text

SECOND = 1_000
LATENESS_MS = SKEW_MS = 30 * SECOND
FIFTY_MINUTES = 3_000


def rule(state: LatenessState = NOTHING_SEEN) -> LatenessRule:
    return LatenessRule(LATENESS_MS, SKEW_MS, state)


def outcomes(ruled: LatenessRule, seconds: list[int]) -> list[str]:
    return [outcome(ruled, second * SECOND, second * SECOND, append_timed=False) for second in seconds]


def going_on(ruled: LatenessRule, first: int = 0, count: int = 20) -> LatenessRule:
    """A rule after some good records, one a second."""
    assert set(outcomes(ruled, list(range(first, first + count)))) == {"ok"}
    return ruled


def test_one_fast_clock_does_not_make_the_records_after_it_late() -> None:
    ruled = going_on(rule())
    assert outcomes(ruled, [20 + FIFTY_MINUTES]) == ["ok"]
    assert outcomes(ruled, list(range(20, 40))) == ["ok"] * 20


def test_the_same_record_of_a_broker_that_vouches_for_it_moves_the_watermark() -> None:
    ruled = going_on(rule())
    later = (20 + FIFTY_MINUTES) * SECOND
    assert outcome(ruled, later, later, append_timed=True) == "ok"
    assert outcomes(ruled, [20]) == ["late"]


def test_a_batch_of_a_fast_clock_moves_nothing_either() -> None:
    ruled = going_on(rule())
    assert outcomes(ruled, [FIFTY_MINUTES + number for number in range(RUN_LENGTH - 1)]) == ["ok"] * (RUN_LENGTH - 1)
    assert outcomes(ruled, list(range(20, 40))) == ["ok"] * 20


def test_a_clock_that_is_fast_for_good_moves_nothing_with_a_tenth_of_the_records() -> None:
    ruled = going_on(rule())
    for second in range(20, 1_020):
        fast = second % 10 == 0
        assert outcomes(ruled, [second + fast * FIFTY_MINUTES]) == ["ok"], second
    assert ruled.newest_ms == 1_019 * SECOND


def test_after_a_quiet_night_the_tenth_record_moves_the_watermark_to_the_oldest_of_them() -> None:
    ruled, morning = going_on(rule()), 30_000
    before_ms = ruled.watermark_ms
    outcomes(ruled, [morning + number for number in range(RUN_LENGTH - 1)])
    assert ruled.watermark_ms == before_ms
    assert outcomes(ruled, [morning + 9]) == ["ok"]
    assert ruled.newest_ms == morning * SECOND
    assert outcomes(ruled, [morning - 31]) == ["late"]


def test_a_fast_record_in_the_morning_is_not_what_is_believed() -> None:
    ruled, morning = going_on(rule()), 30_000
    outcomes(ruled, [morning + FIFTY_MINUTES, *(morning + number for number in range(RUN_LENGTH - 1))])
    assert ruled.newest_ms == morning * SECOND


def test_where_records_are_rare_the_watermark_stays_less_than_two_runs_behind() -> None:
    """One record a minute: each is further ahead than a clock may be."""
    ruled = rule()
    for minute in range(1, 200):
        assert outcomes(ruled, [60 * minute]) == ["ok"]
        if minute >= 2 * RUN_LENGTH:
            assert ruled.newest_ms is not None
            assert ruled.newest_ms >= (minute - 2 * RUN_LENGTH) * 60 * SECOND


def test_a_record_that_is_not_ahead_ends_the_run() -> None:
    ruled = going_on(rule(), first=100)
    outcomes(ruled, [FIFTY_MINUTES + number for number in range(RUN_LENGTH - 1)])
    assert outcomes(ruled, [120]) == ["ok"]
    assert ruled.state == LatenessState(120 * SECOND, unvouched_ms=(FIFTY_MINUTES + RUN_LENGTH - 2) * SECOND)


@pytest.mark.parametrize(("second", "stamp_ms", "told"), [(2 * FIFTY_MINUTES, -1, "future"), (0, 0, "late")])
def test_what_is_set_aside_neither_makes_nor_ends_a_run(second: int, stamp_ms: int, told: str) -> None:
    ruled = going_on(rule(), first=100)
    outcomes(ruled, [FIFTY_MINUTES])
    before = ruled.state
    assert outcome(ruled, second * SECOND, stamp_ms, append_timed=False) == told
    assert ruled.state == before


def test_a_stopped_clock_does_not_hold_up_the_watermark_where_records_are_rare() -> None:
    """A good record a minute, and every tenth one from a clock that stands still."""
    ruled = going_on(rule())
    for minute in range(1, 500):
        outcomes(ruled, [20 + 60 * minute])
        if minute % 10 == 0:
            outcomes(ruled, [5])
    assert ruled.newest_ms is not None
    assert ruled.newest_ms >= (500 - 3 * RUN_LENGTH) * 60 * SECOND


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 1_790_000_000])
def test_a_timestamp_that_is_none_is_future_as_everywhere(timestamp_ms: int) -> None:
    assert outcome(rule(), 1_790_000_000_000, timestamp_ms, append_timed=False) == "future"


Told = tuple[int, int, bool]
"""Event time and Kafka timestamp in seconds, and whether the broker set the latter."""

seconds = st.one_of(st.integers(0, 300), st.integers(3_000, 3_300), st.integers(0, 40_000))
stamped_by_whoever = st.tuples(seconds, seconds, st.booleans())
stamped_by_producers = seconds.map(lambda second: (second, second, False))
logs = st.lists(st.one_of(stamped_by_whoever, stamped_by_producers), max_size=120)


def naive(log: list[Told]) -> list[str]:
    """What becomes of each record, told from all that came before it: the rule as its sentences have it."""
    told = []
    for at, (second, stamp, by_broker) in enumerate(log):
        believed = newest_believed(log[:at], told)
        if (second - stamp) * SECOND > SKEW_MS:
            told.append("future")
        elif is_ahead(second, by_broker, believed) or believed is None:
            told.append("ok")
        else:
            told.append("late" if (second - believed) * SECOND < -LATENESS_MS else "ok")
    return told


def is_ahead(second: int, by_broker: bool, believed: int | None) -> bool:
    return not by_broker and (believed is None or (second - believed) * SECOND > SKEW_MS)


def newest_believed(log: list[Told], told: list[str]) -> int | None:
    """Replay what moves the watermark: what has not been set aside."""
    believed: int | None = None
    run: list[int] = []
    for (second, _, by_broker), became in zip(log, told, strict=True):
        if became != "ok":
            continue
        if is_ahead(second, by_broker, believed):
            run.append(second)
            if len(run) == RUN_LENGTH:
                believed, run = min(run), []
        else:
            run = []
            believed = second if believed is None else max(believed, second)
    return believed


def judged(ruled: LatenessRule, log: list[Told]) -> list[str]:
    return [outcome(ruled, second * SECOND, stamp * SECOND, by_broker) for second, stamp, by_broker in log]


@given(logs)
def test_the_rule_says_what_a_look_at_the_whole_log_says(log: list[Told]) -> None:
    shifted = [(second + 10**9, stamp + 10**9, by_broker) for second, stamp, by_broker in log]
    assert judged(rule(), shifted) == naive(shifted)


@given(logs)
def test_records_that_the_broker_stamps_are_judged_as_ever(log: list[Told]) -> None:
    stamped = [(second, stamp, True) for second, stamp, _ in log]
    ruled, newest = rule(), None
    for (second, stamp, _), told in zip(stamped, judged(ruled, stamped), strict=True):
        future = (second - stamp) * SECOND > SKEW_MS
        late = newest is not None and (newest - second) * SECOND > LATENESS_MS
        assert told == ("future" if future else "late" if late else "ok")
        newest = newest if future else max(second, newest if newest is not None else second)
    assert ruled.state == LatenessState(None if newest is None else newest * SECOND)


def through_redis(state: LatenessState) -> LatenessState:
    return lateness_of(lateness_text(state))


def through_the_committed_offset(state: LatenessState) -> LatenessState:
    marks = marks_of(committing("id", {"group": (5, state)}, ["group"]), "id")
    assert marks is not None
    return marks["group"][1]


def through_a_savepoint(state: LatenessState) -> LatenessState:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(Mark(lateness=state)), type=Mark).lateness


@pytest.mark.parametrize("stored", [through_redis, through_the_committed_offset, through_a_savepoint])
@given(log=logs, cut=st.integers(0, 120))
def test_a_rule_that_continues_from_what_is_stored_judges_as_one_that_was_never_stopped(
    stored: "type[LatenessState]", log: list[Told], cut: int
) -> None:
    first = rule()
    before = judged(first, log[:cut])
    assert before + judged(rule(stored(first.state)), log[cut:]) == judged(rule(), log)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["1790000000000", ""])
def test_what_an_earlier_version_stored_is_read(text: str) -> None:
    assert lateness_of(text) == LatenessState(int(text) if text else None)
