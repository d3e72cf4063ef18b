"""What an event costs, counted in steps of the aggregates, not in time."""

from typing import Any

import pytest

from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS, payment
from tests.reference import GROUPS
from twinstream.core.state import EntityState, WindowConfig


class Counting:
    """An aggregate that only counts how often it is called."""

    def __init__(self) -> None:
        self.steps = 0

    def append(self, event: Any) -> None:
        self.steps += 1

    appendleft = pop = popleft = append


@pytest.fixture
def counted() -> tuple[EntityState, Counting]:
    """A state whose window has one more aggregate."""
    state = EntityState(GROUPS["order"], WindowConfig(WINDOW_MS))
    counter = Counting()
    state._window._aggregates = (*state._window._aggregates, counter)
    return state, counter


def fill(state: EntityState, events: int, gap_ms: int) -> int:
    """So many events in order; returns the time of the newest."""
    for number in range(events):
        time_ms = MIDDAY_MS + number * gap_ms
        state.insert(payment(time_ms, number), time_ms - LATENESS_MS)
    return MIDDAY_MS + (events - 1) * gap_ms


@pytest.mark.parametrize("gap_ms", [1, 100, 60_000, 1_000_000])
def test_in_order_an_event_costs_one_step_in_and_one_step_out(
    counted: tuple[EntityState, Counting], gap_ms: int
) -> None:
    state, counter = counted
    fill(state, 2_000, gap_ms)
    assert counter.steps <= 2 * 2_000


def test_out_of_order_an_event_costs_steps_for_the_events_within_lateness_only(
    counted: tuple[EntityState, Counting],
) -> None:
    """2 000 events in the window, 200 within the lateness: the late one goes past these at both ends and back."""
    state, counter = counted
    newest_ms = fill(state, 2_400, gap_ms=150)
    counter.steps = 0
    state.insert(payment(newest_ms - LATENESS_MS, 99_999), newest_ms - LATENESS_MS)
    assert counter.steps <= 4 * (LATENESS_MS // 150 + 2)


def test_an_event_of_a_clock_far_ahead_makes_those_after_it_no_dearer(counted: tuple[EntityState, Counting]) -> None:
    """Where producers stamp the records: the newest moment is none of theirs, and its vector is as it was."""
    state, counter = counted
    newest_ms = fill(state, 2_000, gap_ms=100)
    state.insert(payment(newest_ms + 10 * WINDOW_MS, 5_000), newest_ms - LATENESS_MS)
    shown = state.newest_vector()
    state.insert(payment(newest_ms, 5_001), newest_ms - LATENESS_MS)
    counter.steps = 0
    for number in range(1, 1_000):
        time_ms = newest_ms + 100 * number
        state.insert(payment(time_ms, 6_000 + number), time_ms - LATENESS_MS)
        assert state.newest_vector() == shown
        state.delta()
    assert counter.steps <= 2 * 1_000
    assert shown == reloaded(state).newest_vector()


def reloaded(state: EntityState) -> EntityState:
    stored = state.stored()
    return EntityState.load(GROUPS["order"], WindowConfig(WINDOW_MS), stored.head, stored.changed)


def test_reading_the_newest_moment_again_costs_nothing(counted: tuple[EntityState, Counting]) -> None:
    state, counter = counted
    newest_ms = fill(state, 1_000, gap_ms=30)
    counter.steps = 0
    state.vector_at(newest_ms)
    state.newest_vector()
    assert counter.steps == 0


def test_a_duplicate_costs_nothing(counted: tuple[EntityState, Counting]) -> None:
    state, counter = counted
    newest_ms = fill(state, 1_000, gap_ms=30)
    counter.steps = 0
    with pytest.raises(Exception, match="duplicate"):
        state.insert(payment(newest_ms, 5_000, id="t999"), newest_ms - LATENESS_MS)
    assert counter.steps == 0


@pytest.mark.parametrize("events", [63, 319, 3_199])
def test_written_bytes_do_not_grow_with_the_window(events: int) -> None:
    """The event fills up a chunk, so it is the most expensive of all."""
    assert bytes_of_one_more(events) <= bytes_of_one_more(31)


def bytes_of_one_more(events: int) -> int:
    """What is written for an event that comes after so many."""
    state = EntityState(GROUPS["order"], WindowConfig(WINDOW_MS))
    for number in range(events + 1):
        state.delta()
        time_ms = MIDDAY_MS + 10 * number
        state.insert(payment(time_ms, 10_000 + number), time_ms - LATENESS_MS)
    delta = state.delta()
    return len(delta.head) + sum(map(len, delta.changed.values()))
