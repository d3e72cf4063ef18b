"""Every word with every condition, whatever arrives in whatever order: equal to the brute force after every step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_window_properties import moments
from tests.declare.every_word import BY, CLASS, CONDITIONS, EVERY_WORD, WORDS
from tests.declare.plays import SalesPlay, sales
from tests.oracle.plays import raising_feature
from tests.oracle.stories import Arrival, Step
from tests.properties import tries
from twinstream.core.rejection import Rejected
from twinstream.declare.words import VOCABULARY

caps = st.sampled_from([1, 2, 3, 5, 50_000])


def test_no_word_is_left_out() -> None:
    assert EVERY_WORD is not None
    declared = {each.word for each in vars(CLASS)["_answers"]}
    assert declared == {word.__name__ for word in VOCABULARY}
    assert len(EVERY_WORD.features) == len(CONDITIONS) * len(WORDS | BY) + 1


@tries(500)
@given(sales(), caps)
def test_every_vector_equals_the_oracle(story: list[Step], max_events: int) -> None:
    SalesPlay(max_events).run(story)


@tries(150)
@given(sales(), caps)
def test_a_state_loaded_after_any_prefix_goes_on_alike(story: list[Step], max_events: int) -> None:
    straight, reloading = SalesPlay(max_events), SalesPlay(max_events)
    for step in story:
        straight.step(step)
        reloading.step(step)
        reloading.state = reloading.reloaded()
        assert moments(straight.state) == moments(reloading.state)


@tries(150)
@given(sales(), caps)
def test_expiring_at_any_time_changes_nothing(story: list[Step], max_events: int) -> None:
    lazy, eager = SalesPlay(max_events), SalesPlay(max_events)
    for step in story:
        lazy.step(step)
        eager.step(step)
        eager.state.expire(eager.rule.watermark_ms)
        if eager.newest_is_readable:
            assert lazy.state.newest_vector() == eager.state.newest_vector()


@tries(150)
@given(sales(), caps)
def test_an_internal_failure_leaves_no_trace(story: list[Step], max_events: int) -> None:
    """The failing arrivals of one story never happen in the other; all the rest is alike, also what is stored."""
    failing, sane = SalesPlay(max_events), SalesPlay(max_events)
    for step in story:
        failing.step(step)
        sane.step(step)
        if isinstance(step, Arrival):
            event = failing._event(step.step_ms - step.step_ms % 7, step.fields)
            if event.time_ms >= failing.rule.watermark_ms:
                with raising_feature(failing.group), pytest.raises(Rejected, match=r"internal|duplicate"):
                    failing.state.insert(event, failing.rule.watermark_ms)
        assert failing.state.stored() == sane.state.stored()
        assert moments(failing.state) == moments(sane.state)
