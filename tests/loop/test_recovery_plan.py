"""Where a partition continues, for every constellation of the marks.

C is the group's committed offset with the newest event time noted beside it, P the progress in Redis. The log reaches
from offset 100 to 1000, and a record's Kafka timestamp is a thousand times its offset.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.reference import GROUPS
from twinstream.core.lateness import NOTHING_SEEN, LatenessState
from twinstream.core.state import state_version
from twinstream.errors import UserError
from twinstream.log.contract import Committed, TopicPartition
from twinstream.log.retention import Deleted, IfLogLost, RecordsDeleted
from twinstream.loop.recovery import (
    LONG_AGO,
    Marks,
    Start,
    committing,
    horizon_ms,
    marks_of,
    plan_start,
)
from twinstream.online.contract import Progress
from twinstream.online.epoch import epoch
from twinstream.settings import Settings

GROUP = GROUPS["transaction"]
SETTINGS = Settings(window_size_minutes=1, allowed_lateness_seconds=10, max_future_skew_seconds=20)
REACH_MS = 2 * 60_000 + 3 * 10_000
SKEW_MS = 20_000
SOURCE = TopicPartition("transactions", 3)
REFUSE, CONTINUE, REBUILD = IfLogLost


@dataclass
class Log:
    """What `plan_start` asks a log for."""

    first: int = 100
    end: int = 1_000
    append_timed: bool = True

    def beginning_offset(self, partition: TopicPartition) -> int:
        return self.first

    def end_offset(self, partition: TopicPartition) -> int:
        return self.end

    def is_append_timed(self, topic: str) -> bool:
        return self.append_timed

    def offset_for_time(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        offset = max(self.first, -(-timestamp_ms // 1_000))
        return offset if offset < self.end else None


def lateness(newest: Any) -> LatenessState:
    """The state of the lateness rule, given as such or as the newest event time."""
    return newest if isinstance(newest, LatenessState) else LatenessState(newest)


def start_at(offset: int, emit_from: int, newest: Any, forget_until_ms: int | None, **more: Any) -> Start:
    """What a plan says, with the newest event time for the state of the lateness rule."""
    return Start(offset, emit_from, lateness(newest), forget_until_ms, **more)


def plan(
    committed: Any, progress: Any, decided: IfLogLost = REFUSE, log: Log | None = None, reset: int | None = None
) -> Start:
    """The plan for C and P given as (offset, newest event time)."""
    mark, known = ((each[0], lateness(each[1])) if each else None for each in (committed, progress))
    reached = None if known is None else Progress(*known)
    return plan_start(log or Log(), SOURCE, mark, reached, SETTINGS, decided, reset)  # type: ignore[arg-type]


# What is known (C, P)                 where to read, emit from, newest event time, forget until
CASES = {
    "nothing: from the beginning": (None, None, start_at(100, 100, None, None)),
    "C and P agree: go on": ((600, 5), (600, 5), start_at(600, 600, 5, 5 - REACH_MS)),
    "P behind C: apply silently up to C": ((600, 9), (500, 5), start_at(500, 600, 5, 9 - REACH_MS)),
    "P before the first event": ((600, None), (500, None), start_at(500, 600, None, None)),
    "no C: emit from P": (None, (600, 5), start_at(600, 600, 5, None)),
    "no P: rebuild from as far back as can be asked for": (
        (900, 900_000),
        None,
        start_at((900_000 - REACH_MS - SKEW_MS) // 1_000, 900, None, 900_000 - REACH_MS),
    ),
    "no P: never from before the log's beginning": (
        (300, 200_000),
        None,
        start_at(100, 300, None, 200_000 - REACH_MS, incomplete=True),
    ),
    "no P: never from after C": ((150, 900_000), None, start_at(150, 150, None, 900_000 - REACH_MS)),
    "no P, and nothing was accepted up to C": ((600, None), None, start_at(600, 600, None, None)),
    "C at the log's end": ((1_000, 5), (1_000, 5), start_at(1_000, 1_000, 5, 5 - REACH_MS)),
}


@pytest.mark.parametrize(("committed", "progress", "expected"), CASES.values(), ids=CASES)
def test_a_partition_continues(committed: Any, progress: Any, expected: Start) -> None:
    assert plan(committed, progress) == expected


@pytest.mark.parametrize("newest_ms", [None, 900_000])
def test_a_rebuild_of_what_only_producers_vouch_for_reads_the_log_from_its_beginning(newest_ms: int | None) -> None:
    known = LatenessState(newest_ms, unvouched_ms=900_000 - REACH_MS + 1)
    assert plan((900, known), None, log=Log(first=0)) == start_at(0, 900, None, None)
    assert plan((900, known), None) == start_at(100, 900, None, None, incomplete=True)


def test_a_rebuild_of_a_topic_with_producers_timestamps_reads_it_from_its_beginning() -> None:
    """Also where the note is of an earlier build, which did not say who vouched."""
    start = plan((900, 900_000), None, log=Log(append_timed=False))
    assert start == start_at(100, 900, None, 900_000 - REACH_MS, incomplete=True)
    whole = Log(first=0, append_timed=False)
    assert plan((900, 900_000), None, log=whole) == start_at(0, 900, None, 900_000 - REACH_MS)


def test_what_producers_vouched_for_longer_ago_than_can_be_asked_for_does_not_matter() -> None:
    known = LatenessState(900_000, unvouched_ms=900_000 - REACH_MS)
    assert plan((900, known), None) == plan((900, 900_000), None)


def test_a_rebuild_of_which_nothing_is_left_to_read_starts_at_c() -> None:
    assert plan((1_000, 2_000_000), None).offset == 1_000


# What is known (C, P)
LOST = {
    "C behind P": ((500, 5), (600, 5)),
    "C behind P, and the log too": ((500, 5), (1_200, 5)),
    "the log behind P": (None, (1_200, 5)),
    "the log behind C and P": ((1_200, 5), (1_200, 5)),
    "the log behind C": ((1_200, 5), None),
}


@pytest.mark.parametrize(("committed", "progress"), LOST.values(), ids=LOST)
def test_lost_data_is_refused_with_the_commands_that_decide(committed: Any, progress: Any) -> None:
    with pytest.raises(UserError, match="--if-log-lost rebuild .*--if-log-lost continue") as refusal:
        plan(committed, progress)
    assert "\n" not in str(refusal.value)
    assert "transactions-3" in str(refusal.value)


@pytest.mark.parametrize(("committed", "progress"), LOST.values(), ids=LOST)
def test_a_decision_to_rebuild_forgets_redis_and_goes_on_where_kafka_stands(committed: Any, progress: Any) -> None:
    start = plan(committed, progress, REBUILD)
    assert start.rebuild
    assert start.lateness == NOTHING_SEEN
    assert start.emit_from == (1_000 if committed is None else min(committed[0], 1_000))
    assert start.offset <= start.emit_from
    assert plan(start.commit, None).emit_from == start.emit_from, "the decision holds"


def test_a_rebuild_without_c_emits_nothing_that_redis_has_seen() -> None:
    assert plan(None, (1_200, 5), REBUILD) == start_at(100, 1_000, None, None, rebuild=True, commit=(1_000, LONG_AGO))


def test_a_decision_to_continue_goes_on_where_redis_stands() -> None:
    assert plan((500, 5), (600, 7), CONTINUE) == start_at(600, 600, 7, None, commit=(600, LatenessState(7)))


@pytest.mark.parametrize(
    ("committed", "progress"),
    [case for name, case in LOST.items() if name != "C behind P"],
    ids=[name for name in LOST if name != "C behind P"],
)
def test_nobody_can_continue_where_the_log_has_nothing(committed: Any, progress: Any) -> None:
    with pytest.raises(UserError, match="Kafka lost data"):
        plan(committed, progress, CONTINUE)


@pytest.mark.parametrize("decided", [CONTINUE, REBUILD])
@pytest.mark.parametrize(("committed", "progress", "expected"), CASES.values(), ids=CASES)
def test_a_decision_changes_nothing_while_nothing_is_lost(
    committed: Any, progress: Any, expected: Start, decided: IfLogLost
) -> None:
    assert plan(committed, progress, decided) == expected


# What is known (C, P)         continue                                   rebuild
OVERTAKEN = {
    "C and P": (
        (60, 9),
        (60, 9),
        start_at(100, 100, 9, 9 - REACH_MS),
        start_at(100, 100, None, 9 - REACH_MS, rebuild=True),
    ),
    "C, and P further back": (
        (60, 9),
        (50, 5),
        start_at(100, 100, 9, 9 - REACH_MS),
        start_at(100, 100, None, 9 - REACH_MS, rebuild=True),
    ),
    "C without P": (
        (60, 9),
        None,
        start_at(100, 100, 9, 9 - REACH_MS),
        start_at(100, 100, None, 9 - REACH_MS, rebuild=True),
    ),
    "P without C": (None, (60, 5), start_at(100, 100, 5, None), start_at(100, 100, None, None, rebuild=True)),
    "P alone": (
        (600, 400_000),
        (50, 5),
        start_at(100, 600, 5, 400_000 - REACH_MS),
        start_at((400_000 - REACH_MS - SKEW_MS) // 1_000, 600, None, 400_000 - REACH_MS, rebuild=True),
    ),
}


@pytest.mark.parametrize(("committed", "progress", "continued", "rebuilt"), OVERTAKEN.values(), ids=OVERTAKEN)
def test_records_deleted_before_they_were_read_are_counted_and_a_person_decides(
    committed: Any, progress: Any, continued: Start, rebuilt: Start
) -> None:
    wanted = min(mark[0] for mark in (committed, progress) if mark is not None)
    with pytest.raises(RecordsDeleted, match="--if-log-lost continue .*--if-log-lost rebuild") as refusal:
        plan(committed, progress)
    told = f"Kafka has deleted {100 - wanted} records of transactions-3 (offsets {wanted} to 99) before they were read."
    assert str(refusal.value).startswith(told)
    assert "\n" not in str(refusal.value)
    deleted = Deleted("transactions", 3, wanted, 100)
    for decision, start in ((CONTINUE, continued), (REBUILD, rebuilt)):
        noted = start.emit_from, lateness(committed[1]) if start.offset < start.emit_from else start.lateness
        assert plan(committed, progress, decision) == replace(start, deleted=deleted, commit=noted)


def test_a_new_group_takes_the_log_as_it_is() -> None:
    assert plan(None, None).deleted is None


def test_offsets_put_back_to_before_the_logs_beginning_are_no_deletion_once_redis_holds() -> None:
    assert plan((60, 9), (600, 9), CONTINUE) == start_at(600, 600, 9, None, commit=(600, LatenessState(9)))


@pytest.mark.parametrize("reset", [100, 599, 601, 1_000])
@pytest.mark.parametrize("decided", [REFUSE, CONTINUE])
def test_p_wins_over_an_offset_that_somebody_has_set(reset: int, decided: IfLogLost) -> None:
    assert plan(None, (600, 5)) == start_at(600, 600, 5, None)
    noted = 600, LatenessState(5)
    assert plan(None, (600, 5), decided, reset=reset) == start_at(600, 600, 5, None, commit=noted)


@pytest.mark.parametrize(("reset", "emit_from"), [(0, 100), (100, 100), (500, 500), (700, 700), (2_000, 1_000)])
def test_an_offset_that_somebody_has_set_wins_without_p_or_by_decision(reset: int, emit_from: int) -> None:
    whole = Log(first=0)
    for first, log in ((100, Log()), (0, whole)):
        at = max(first, min(reset, 1_000))
        for progress, decided in ((None, REFUSE), ((600, 5), REBUILD)):
            start = plan(None, progress, decided, log, reset)
            assert (start.offset, start.emit_from, start.rebuild) == (first, at, progress is not None)
            assert start.commit == (at, LONG_AGO)
            assert plan(start.commit, None, log=log) == replace(start, rebuild=False, commit=None), "it holds"
    assert plan(None, None, log=Log(), reset=reset).emit_from == emit_from


def test_the_horizon_lies_two_windows_and_three_latenesses_back() -> None:
    assert horizon_ms(LatenessState(1_000_000), SETTINGS) == 1_000_000 - REACH_MS
    assert horizon_ms(NOTHING_SEEN, SETTINGS) is None


# --- epochs and notes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"window_size_minutes": 2},
        {"allowed_lateness_seconds": 11},
        {"max_events_per_entity": 7},
        {"max_future_skew_seconds": 9},
    ],
)
def test_another_rule_of_the_window_is_another_epoch_of_the_same_topic(changed: dict[str, int]) -> None:
    before, after = epoch("id-1", GROUP, SETTINGS), epoch("id-1", GROUP, SETTINGS.model_copy(update=changed))
    assert before != after
    assert before.split(":")[0] == after.split(":")[0] == "id-1"


MARKS: Marks = {"one": (5, LatenessState(77)), "two": (9, LatenessState(80, 1, 2, 3)), "gone": (2, NOTHING_SEEN)}


def test_the_marks_of_all_groups_are_committed_with_the_least_offset_of_those_that_are_computed() -> None:
    committed = committing("id-1", MARKS, ["one", "two", "new"])
    assert committed.offset == 5
    assert marks_of(committed, "id-1") == MARKS


def test_another_life_of_the_topic_makes_a_committed_offset_meaningless() -> None:
    assert marks_of(committing("id-1", MARKS, ["one"]), "id-2") == {}


def test_where_nothing_is_committed_no_group_has_a_mark() -> None:
    assert marks_of(None, "id-1") == {}


@pytest.mark.parametrize("metadata", ["", "somebody else's", "{}", '{"topic": 3}', "\ud800", "[" * 100_000])
def test_an_offset_that_is_not_ours_says_nothing(metadata: str) -> None:
    assert marks_of(Committed(5, metadata), "id-1") is None


def test_the_state_version_is_part_of_the_epoch() -> None:
    assert f":{state_version(GROUP.event_type)}:" in epoch("id-1", GROUP, SETTINGS)
