"""Where slot numbers land, and that the hashes they are chosen by are Flink's."""

from collections import Counter

import pytest

from tests.reference import BY_TOPIC
from twinstream.job import sql
from twinstream.job.key_groups import (
    MAX_PARALLELISM,
    PLANNED_PARTITIONS,
    slot_numbers,
    stage_key_group,
    window_key_group,
)

TOPICS = list(BY_TOPIC)


@pytest.mark.parametrize("parallelism", [1, 2, 4])
def test_partitions_are_spread_evenly_over_the_subtasks(parallelism: int) -> None:
    slots = slot_numbers(TOPICS, 4)
    for key_group in (stage_key_group, window_key_group):
        subtasks = Counter(key_group(slot) * parallelism // MAX_PARALLELISM for slot in slots.values())
        assert set(subtasks.values()) == {12 // parallelism}
        for topic in TOPICS:
            own = Counter(key_group(slots[topic, number]) * parallelism // MAX_PARALLELISM for number in range(4))
            assert set(own.values()) == {4 // parallelism}


def test_every_partition_has_a_slot_of_its_own() -> None:
    slots = slot_numbers(TOPICS, 100)
    assert len(set(slots.values())) == 300


def test_more_partitions_change_nothing_for_the_first() -> None:
    few, many = slot_numbers(TOPICS, 3), slot_numbers(TOPICS, 50)
    assert few.items() <= many.items()


@pytest.mark.parametrize(
    ("slot", "of_the_stage", "of_the_window"),
    [(0, 33, 102), (1, 44, 94), (2, 97, 93), (17, 107, 72), (1003, 59, 12)],
)
def test_key_groups_are_those_that_flink_assigns(slot: int, of_the_stage: int, of_the_window: int) -> None:
    """As told by `KeyGroupRangeAssignment.assignToKeyGroup` for `Row.of(slot)` and a `BinaryRowData` of the slot."""
    assert (stage_key_group(slot), window_key_group(slot)) == (of_the_stage, of_the_window)


def test_a_partition_added_while_the_job_runs_has_the_number_it_has_after_a_restart() -> None:
    """The number is in the query from the start, whatever the number of partitions then; a savepoint's key is it."""
    view = sql.slotted_view(slot_numbers(TOPICS, PLANNED_PARTITIONS))
    for topic in TOPICS:
        for number in (0, 4, PLANNED_PARTITIONS - 1):
            assert f"WHEN {number} THEN {slot_numbers(TOPICS, number + 1)[topic, number]} " in view
