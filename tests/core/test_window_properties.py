"""Whatever arrives, in whatever order: the state equals the brute-force oracle after every step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.plays import Play, raising_feature
from tests.oracle.stories import Arrival, Step, groups, stories
from tests.reference import GROUPS
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState

group_and_story = groups.flatmap(lambda group: st.tuples(st.just(group), stories(group)))


@pytest.mark.parametrize("group", GROUPS)
@given(st.data())
def test_every_vector_equals_the_oracle(group: str, data: st.DataObject) -> None:
    Play(group).run(data.draw(stories(group)))


@pytest.mark.parametrize("group", GROUPS)
@given(st.data(), st.integers(1, 6))
def test_every_vector_equals_the_oracle_under_a_cap(group: str, data: st.DataObject, max_events: int) -> None:
    Play(group, max_events).run(data.draw(stories(group)))


@given(group_and_story, st.sampled_from([1, 3, 50_000]))
def test_a_state_loaded_after_any_prefix_goes_on_alike(told: tuple[str, list[Step]], max_events: int) -> None:
    group, story = told
    straight, reloading = Play(group, max_events), Play(group, max_events)
    for step in story:
        straight.step(step)
        reloading.step(step)
        reloading.state = reloading.reloaded()
        assert moments(straight.state) == moments(reloading.state)


@given(group_and_story, st.sampled_from([1, 3, 50_000]))
def test_a_whole_stored_state_equals_the_sum_of_its_deltas(told: tuple[str, list[Step]], max_events: int) -> None:
    group, story = told
    play = Play(group, max_events)
    for step in story:
        play.step(step)
        by_deltas = play.reloaded()
        whole = play.state.stored()
        at_once = EntityState.load(play.group, play.config, whole.head, whole.changed)
        assert moments(by_deltas) == moments(at_once)


@given(group_and_story, st.sampled_from([1, 3, 50_000]))
def test_expiring_at_any_time_changes_nothing(told: tuple[str, list[Step]], max_events: int) -> None:
    group, story = told
    lazy, eager = Play(group, max_events), Play(group, max_events)
    for step in story:
        lazy.step(step)
        eager.step(step)
        eager.state.expire(eager.rule.watermark_ms)
        if eager.newest_is_readable:
            assert lazy.state.newest_vector() == eager.state.newest_vector()


@given(group_and_story, st.sampled_from([1, 2, 5, 50_000]))
def test_an_internal_failure_leaves_no_trace(told: tuple[str, list[Step]], max_events: int) -> None:
    """The failing arrivals of one story never happen in the other; all the rest is alike, also what is stored."""
    group, story = told
    failing, sane = Play(group, max_events), Play(group, max_events)
    for step in story:
        failing.step(step)
        sane.step(step)
        if isinstance(step, Arrival):
            event = failing._event(step.step_ms - step.step_ms % 7, step.fields)
            if event.time_ms >= failing.rule.watermark_ms:
                with raising_feature(GROUPS[group]), pytest.raises(Rejected, match=r"internal|duplicate"):
                    failing.state.insert(event, failing.rule.watermark_ms)
        assert failing.state.events == sane.state.events
        assert failing.state.stored() == sane.state.stored()
        assert moments(failing.state) == moments(sane.state)


def moments(state: EntityState) -> list[Any]:
    """Vectors at every moment that the state could get wrong: at its events, between, and when they leave."""
    size_ms = state._config.size_ms
    times = {event.time_ms + shift for event in state.events for shift in (-1, 0, 1, size_ms - 1, size_ms)}
    return [state.vector_at(time) for time in sorted(times) if time - size_ms >= state.horizon_ms]
