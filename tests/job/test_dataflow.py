"""Which savepoints a job can go on from, and what it does about topics and groups that come and go."""

from collections.abc import Sequence

import pytest

from twinstream.errors import UserError
from twinstream.job.dataflow import UID_OF_SINK, UID_OF_WINDOW, stage_uid
from twinstream.job.savepoint import LEAVE_UNCLAIMED, Continuation, continue_from
from twinstream.job.sources import SourceGroup, SourceTopic, life_beside


def topic_of(name: str, *groups: str, epoch: str = "epoch") -> SourceTopic:
    """A topic and the groups that read it."""
    return SourceTopic(name, "id", 4, tuple(SourceGroup(name, group, epoch) for group in groups))


ORDERS, LOGINS = topic_of("orders", "order"), topic_of("logins", "login")
ORDERS_AND_REFUNDS = topic_of("orders", "order", "refund")
NEEDED = {stage_uid("thread"), UID_OF_WINDOW}


def savepoint_of(*sources: SourceTopic) -> set[str]:
    """The operators that a job over these topics has state of."""
    return NEEDED | {UID_OF_SINK} | {source.uid for source in sources}


def going_on_with(*sources: SourceTopic, found: set[str], savepoint: str = "s") -> Continuation:
    return continue_from(savepoint, found, sources, NEEDED)


def begun_anew(sources: Sequence[SourceTopic]) -> list[str]:
    return [group.name for source in sources for group in source.groups if group.life == life_beside("s")]


def test_a_job_over_the_same_topics_continues_all_of_them() -> None:
    going_on = going_on_with(LOGINS, ORDERS, found=savepoint_of(ORDERS, LOGINS))
    assert going_on.sources == (LOGINS, ORDERS)
    assert going_on.configuration == {}, "Flink itself then refuses what nobody claims"


def test_a_topic_that_came_is_read_from_its_beginning_and_the_others_continue() -> None:
    going_on = going_on_with(ORDERS, LOGINS, found=savepoint_of(ORDERS))
    assert begun_anew(going_on.sources) == ["login"]
    assert going_on.configuration == {}


def test_a_topic_that_went_is_left_and_the_others_continue() -> None:
    going_on = going_on_with(ORDERS, found=savepoint_of(ORDERS, LOGINS))
    assert going_on.sources == (ORDERS,)
    assert going_on.configuration == LEAVE_UNCLAIMED


def test_a_group_of_another_epoch_begins_anew_and_the_others_continue() -> None:
    changed = topic_of("logins", "login", epoch="another")
    going_on = going_on_with(ORDERS, changed, found=savepoint_of(ORDERS, LOGINS))
    assert begun_anew(going_on.sources) == ["login"]
    assert going_on.configuration == LEAVE_UNCLAIMED


def test_a_group_that_comes_to_a_topic_has_it_read_again_and_the_others_keep_their_states() -> None:
    going_on = going_on_with(ORDERS_AND_REFUNDS, LOGINS, found=savepoint_of(ORDERS, LOGINS))
    assert begun_anew(going_on.sources) == ["refund"]
    shared, others = going_on.sources
    assert shared.uid not in savepoint_of(ORDERS, LOGINS)
    assert shared.id == ORDERS.id
    assert others == LOGINS
    assert going_on.configuration == LEAVE_UNCLAIMED


def test_a_group_that_goes_from_a_topic_has_it_read_again_and_the_others_keep_their_states() -> None:
    found = savepoint_of(ORDERS_AND_REFUNDS)
    going_on = going_on_with(ORDERS, found=found)
    assert going_on.sources == (ORDERS,)
    assert ORDERS.uid not in found
    assert going_on.configuration == LEAVE_UNCLAIMED


def test_groups_are_told_apart_from_those_that_they_were_before_they_went() -> None:
    first = going_on_with(ORDERS_AND_REFUNDS, found=savepoint_of(ORDERS), savepoint="first")
    without = going_on_with(ORDERS, found=savepoint_of(*first.sources), savepoint="second")
    back = going_on_with(ORDERS_AND_REFUNDS, found=savepoint_of(*without.sources), savepoint="third")
    again = going_on_with(ORDERS_AND_REFUNDS, found=savepoint_of(*back.sources), savepoint="fourth")
    before, after = first.sources[0].groups, back.sources[0].groups
    assert before[0] == after[0]
    assert before[1].id != after[1].id
    assert again == Continuation(back.sources), "who is back goes on"


def test_it_does_not_matter_in_which_order_groups_are_defined() -> None:
    going_on = going_on_with(topic_of("orders", "refund", "order"), found=savepoint_of(ORDERS_AND_REFUNDS))
    assert going_on.sources[0].uid == ORDERS_AND_REFUNDS.uid


@pytest.mark.parametrize(
    "found",
    [savepoint_of(ORDERS) - {stage_uid("thread")} | {stage_uid("process")}, savepoint_of(ORDERS) - {UID_OF_WINDOW}, []],
    ids=["another mode", "another layout of micro-batches", "another job's"],
)
def test_a_savepoint_without_what_the_job_needs_is_refused(found: set[str]) -> None:
    with pytest.raises(UserError, match="another epoch or mode"):
        continue_from("s", found, [ORDERS], NEEDED)


def test_a_savepoint_that_has_no_group_in_its_present_epoch_is_refused() -> None:
    with pytest.raises(UserError, match="Start without SAVEPOINT"):
        going_on_with(topic_of("orders", "order", epoch="another"), LOGINS, found=savepoint_of(ORDERS))
