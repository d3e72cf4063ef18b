"""Which savepoints a job can go on from, and what it does about topics that come and go."""

from collections.abc import Sequence

import pytest

from twinstream.errors import UserError
from twinstream.job.pipeline import UID_OF_SINK, UID_OF_WINDOW, stage_uid
from twinstream.job.savepoint import LEAVE_UNCLAIMED, continue_from
from twinstream.job.sources import SourceTopic

ORDERS, LOGINS = SourceTopic("orders", "a", 4), SourceTopic("logins", "b", 4)
NEEDED = {stage_uid("thread"), UID_OF_WINDOW}


def savepoint_of(*sources: SourceTopic) -> set[str]:
    """The operators that a job over these topics has state of."""
    return NEEDED | {UID_OF_SINK} | {source.uid for source in sources}


def begun_anew(sources: Sequence[SourceTopic]) -> list[str]:
    return [source.name for source in sources if source.begins_beside == "s"]


def test_a_job_over_the_same_topics_continues_all_of_them() -> None:
    going_on = continue_from("s", savepoint_of(ORDERS, LOGINS), [LOGINS, ORDERS], NEEDED)
    assert begun_anew(going_on.sources) == []
    assert going_on.configuration == {}, "Flink itself then refuses what nobody claims"


def test_a_topic_that_came_is_read_from_its_beginning_and_the_others_continue() -> None:
    going_on = continue_from("s", savepoint_of(ORDERS), [ORDERS, LOGINS], NEEDED)
    assert begun_anew(going_on.sources) == ["logins"]
    assert going_on.configuration == {}


def test_a_topic_that_went_is_left_and_the_others_continue() -> None:
    going_on = continue_from("s", savepoint_of(ORDERS, LOGINS), [ORDERS], NEEDED)
    assert begun_anew(going_on.sources) == []
    assert going_on.configuration == LEAVE_UNCLAIMED


def test_a_topic_of_another_epoch_begins_anew_and_the_others_continue() -> None:
    going_on = continue_from("s", savepoint_of(ORDERS, LOGINS), [ORDERS, SourceTopic("logins", "c", 4)], NEEDED)
    assert begun_anew(going_on.sources) == ["logins"]
    assert going_on.configuration == LEAVE_UNCLAIMED


@pytest.mark.parametrize(
    "found",
    [savepoint_of(ORDERS) - {stage_uid("thread")} | {stage_uid("process")}, savepoint_of(ORDERS) - {UID_OF_WINDOW}, []],
    ids=["another mode", "another layout of micro-batches", "another job's"],
)
def test_a_savepoint_without_what_the_job_needs_is_refused(found: set[str]) -> None:
    with pytest.raises(UserError, match="another epoch or mode"):
        continue_from("s", found, [ORDERS], NEEDED)


def test_a_savepoint_that_has_no_topic_in_its_present_epoch_is_refused() -> None:
    with pytest.raises(UserError, match="Start without SAVEPOINT"):
        continue_from("s", savepoint_of(ORDERS), [SourceTopic("orders", "another", 4), LOGINS], NEEDED)
