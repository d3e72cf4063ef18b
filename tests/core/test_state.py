"""The three core functions of an entity's state, one behaviour at a time."""

from typing import Any

import pytest

from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS, action, as_dict, payment
from tests.oracle.plays import raising_feature
from tests.reference import GROUPS, computing
from twinstream.core.feature_group import Feature
from twinstream.core.rejection import Rejected
from twinstream.core.state import (
    CHUNK_EVENTS,
    EntityState,
    Head,
    StateDelta,
    StateUnreadable,
    WindowConfig,
    _encode,
    applied_offset,
)

T = MIDDAY_MS
LONG_AGO = T - 10 * WINDOW_MS


def state_of(*events: Any, group: str = "order", max_events: int = 50_000) -> EntityState:
    """A state that the events have been inserted into, none of them forgotten."""
    state = EntityState(GROUPS[group], WindowConfig(WINDOW_MS, max_events))
    for event in events:
        state.insert(event, LONG_AGO)
    return state


def reload(state: EntityState, delta: StateDelta, max_events: int = 50_000) -> EntityState:
    return EntityState.load(GROUPS["order"], WindowConfig(WINDOW_MS, max_events), delta.head, delta.changed)


def count(state: EntityState, now_ms: int) -> int:
    return int(as_dict(state.vector_at(now_ms))["txn_count"])


# --- the window -------------------------------------------------------------------------------------------------------


def test_event_299_999_ms_old_is_in() -> None:
    assert count(state_of(payment(T)), T + 299_999) == 1


def test_event_exactly_one_window_old_is_out() -> None:
    assert count(state_of(payment(T)), T + 300_000) == 0


def test_event_is_in_at_its_own_time_and_not_a_millisecond_before() -> None:
    state = state_of(payment(T))
    assert (count(state, T - 1), count(state, T)) == (0, 1)


def test_inserted_vector_has_the_event_itself_and_nothing_newer() -> None:
    state = state_of(payment(T, 0))
    vector = state.insert(payment(T - 1, 1), LONG_AGO)
    assert as_dict(vector)["txn_count"] == 1


def test_of_two_events_at_one_time_the_second_offset_sees_both() -> None:
    state = state_of()
    counts = [as_dict(state.insert(payment(T, offset), LONG_AGO))["txn_count"] for offset in (0, 1)]
    assert counts == [1, 2]


def test_of_two_events_at_one_time_the_higher_offset_is_the_newer() -> None:
    state = state_of(payment(T, 0, currency="EUR"), payment(T, 1, currency="JPY", amount_minor=7))
    assert as_dict(state.newest_vector())["amount_sum"] == 7


def test_newest_vector_counts_an_event_that_came_out_of_order() -> None:
    state = state_of(payment(T, 0), payment(T - 1_000, 1))
    assert as_dict(state.newest_vector())["txn_count"] == 2


def test_a_window_without_events_has_a_vector() -> None:
    vector = as_dict(state_of(payment(T)).vector_at(T + 10 * WINDOW_MS))
    assert (vector["txn_count"], vector["amount_sum"], vector["max_speed_kmh"]) == (0, None, None)


def test_reading_back_and_forth_gives_the_same_every_time() -> None:
    state = state_of(*(payment(T + 40_000 * index, index) for index in range(12)))
    moments = [T + 440_000, T, T + 299_999, T + 2_000_000, T + 300_000]
    assert [count(state, moment) for moment in moments * 2] == [8, 1, 8, 0, 7] * 2


def test_a_moment_that_needs_forgotten_events_is_refused() -> None:
    state = state_of(payment(T))
    state.expire(T)
    assert count(state, T) == 1
    with pytest.raises(ValueError, match="have been forgotten"):
        state.vector_at(T - 1)


def test_expire_forgets_an_event_exactly_one_window_older_than_the_watermark() -> None:
    state = state_of(payment(T, 0), payment(T + 1, 1))
    state.expire(T + WINDOW_MS)
    assert state.events == [payment(T + 1, 1)]


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_same_id_at_the_same_event_time_is_a_duplicate() -> None:
    with pytest.raises(Rejected, match="duplicate: t7 was accepted before"):
        state_of(payment(T, 0, id="t7"), payment(T, 1, id="t7"))


def test_same_id_at_another_event_time_is_another_event() -> None:
    assert count(state_of(payment(T, 0, id="t7"), payment(T + 1, 1, id="t7")), T + 1) == 2


def test_a_duplicate_changes_nothing() -> None:
    state = state_of(payment(T, 0, id="t7"))
    before = state.stored()
    with pytest.raises(Rejected):
        state.insert(payment(T, 1, id="t7", amount_minor=99), T)
    assert state.stored() == before


def test_a_duplicate_is_recognised_after_a_reload() -> None:
    state = state_of(payment(T, 0, id="t7"))
    with pytest.raises(Rejected, match="duplicate"):
        reload(state, state.delta()).insert(payment(T, 1, id="t7"), T - LATENESS_MS)


def test_ids_are_kept_as_long_as_their_events_only() -> None:
    state = state_of(max_events=10)
    for n in range(100):
        state.insert(payment(T + 60_000 * (n // 20), n), T + 60_000 * (n // 20) - LATENESS_MS)
    assert state._identities == {(event.time_ms, event.id) for event in state.events}


# --- the cap ----------------------------------------------------------------------------------------------------------


def test_above_the_cap_the_oldest_event_goes_and_the_vector_says_so() -> None:
    vector = as_dict(state_of(*(payment(T + n, n) for n in range(4)), max_events=3).newest_vector())
    assert (vector["txn_count"], vector["window_truncated"]) == (3, True)


def test_at_the_cap_nothing_is_truncated() -> None:
    vector = as_dict(state_of(*(payment(T + n, n) for n in range(3)), max_events=3).newest_vector())
    assert (vector["txn_count"], vector["window_truncated"]) == (3, False)


def test_a_window_that_the_evicted_event_would_have_left_is_whole_again() -> None:
    state = state_of(payment(T, 0), payment(T + 1, 1), max_events=1)
    truncated = [as_dict(state.vector_at(now))["window_truncated"] for now in (T + 299_999, T + 300_000)]
    assert truncated == [True, False]


def test_an_older_event_that_comes_to_a_full_state_does_not_hide_the_truncation() -> None:
    """The late one is taken out itself; the event that was taken out before it is still missing from the window."""
    state = state_of(payment(T, 0), payment(T + 1, 1), payment(T - 20_000, 2), max_events=1)
    now = T - 20_000 + WINDOW_MS  # the late one would have left, the first one would not
    assert as_dict(state.vector_at(now))["window_truncated"] is True


def test_an_older_event_that_comes_to_a_full_state_brings_nothing_back_on_reload() -> None:
    state = state_of(payment(T, 0), payment(T + 1, 1), payment(T - 20_000, 2), max_events=1)
    assert reload(state, state.delta(), max_events=1).events == state.events == [payment(T + 1, 1)]


def test_expired_events_do_not_count_towards_the_cap() -> None:
    state = state_of(payment(T, 0), payment(T + 1, 1), max_events=2)
    vector = as_dict(state.insert(payment(T + 400_000, 2), watermark_ms=T + WINDOW_MS))
    assert (vector["window_truncated"], len(state.events)) == (False, 2)


# --- internal failures ------------------------------------------------------------------------------------------------


def test_a_raising_feature_is_internal_and_named() -> None:
    with raising_feature(GROUPS["order"]), pytest.raises(Rejected, match="internal: always_wrong raised ValueError"):
        state_of(payment(T))


def test_an_event_that_breaks_the_newest_vector_is_refused_when_it_arrives() -> None:
    """Otherwise it would stop the stream later, when the newest vector is written."""
    features = GROUPS["order"].features

    def fragile(window: Any) -> int:
        if window.count == 2:
            raise ArithmeticError
        return 0

    with computing(GROUPS["order"], [*features, Feature("fragile", "int", False, "", "", "geo", fragile)]):
        state = state_of(payment(T, 0))
        with pytest.raises(Rejected, match="internal: fragile raised ArithmeticError"):
            state.insert(payment(T - 1, 1), T - LATENESS_MS)  # alone in its own window
        assert as_dict(state.newest_vector())["txn_count"] == 1


def test_newest_vector_stays_readable_when_a_failing_event_moved_the_watermark_far_ahead() -> None:
    state = state_of(payment(T, 0), payment(T - 1_000, 1))
    with raising_feature(GROUPS["order"]), pytest.raises(Rejected):
        state.insert(payment(T + 5 * WINDOW_MS, 2), watermark_ms=T + 4 * WINDOW_MS)
    assert state.newest_event_time_ms == T
    assert as_dict(state.newest_vector())["txn_count"] == 2


def test_a_failing_event_at_the_cap_brings_the_oldest_back() -> None:
    state = state_of(payment(T, 0), payment(T + 1, 1), max_events=2)
    before = state.events, state.stored()
    with raising_feature(GROUPS["order"]), pytest.raises(Rejected):
        state.insert(payment(T + 2, 2), LONG_AGO)
    assert (state.events, state.stored()) == before
    assert as_dict(state.newest_vector())["window_truncated"] is False


def test_a_failed_event_is_accepted_when_it_comes_again() -> None:
    state = state_of(payment(T, 0))
    with raising_feature(GROUPS["order"]), pytest.raises(Rejected):
        state.insert(payment(T, 1, id="again"), T - LATENESS_MS)
    assert as_dict(state.insert(payment(T, 2, id="again"), T - LATENESS_MS))["txn_count"] == 2


# --- storing ----------------------------------------------------------------------------------------------------------


def test_an_event_changes_one_chunk_however_many_there_are() -> None:
    state = state_of(*(payment(T + n, n) for n in range(1_000)))
    state.delta()
    state.insert(payment(T + 1_000, 1_000), T - LATENESS_MS)
    assert len(state.delta().changed) == 1


def test_an_event_out_of_order_changes_one_chunk_too() -> None:
    state = state_of(*(payment(T + n, n) for n in range(1_000)))
    state.delta()
    state.insert(payment(T + 1, 1_000, id="late"), T - LATENESS_MS)
    assert len(state.delta().changed) == 1


def test_nothing_new_changes_no_chunk() -> None:
    state = state_of(payment(T))
    state.delta()
    assert state.delta().changed == {}


def test_chunks_of_forgotten_events_are_dropped() -> None:
    state = state_of(*(payment(T + n, n) for n in range(3 * CHUNK_EVENTS)))
    state.delta()
    state.expire(T + WINDOW_MS + 10 * CHUNK_EVENTS)
    assert state.delta().dropped == [0, 1]  # the newest is kept, to be filled


def test_a_chunk_with_one_event_left_is_kept() -> None:
    state = state_of(*(payment(T + n, n) for n in range(2 * CHUNK_EVENTS)))
    state.expire(T + WINDOW_MS + CHUNK_EVENTS - 2)
    assert state.delta().dropped == []


def test_a_chunk_behind_one_that_must_stay_is_dropped_all_the_same() -> None:
    newest_first = [payment(T + 20_000, 0), *(payment(T + n, n) for n in range(1, 3 * CHUNK_EVENTS))]
    state = state_of(*newest_first)
    state.expire(T + WINDOW_MS + 10_000)
    assert state.delta().dropped == [1]


def test_storage_stays_bounded_when_event_time_stands_still() -> None:
    """A stuck clock: every event at the same millisecond, nothing ever expires, the cap alone must bound it."""
    state = state_of(*(payment(T, n) for n in range(50 * CHUNK_EVENTS)), max_events=CHUNK_EVENTS)
    state.delta()
    assert len(state.stored().changed) <= 2


def test_storage_stays_bounded_behind_one_event_ahead_of_the_others() -> None:
    ahead = payment(T + 20_000, 0)
    state = state_of(ahead, *(payment(T, n) for n in range(1, 50 * CHUNK_EVENTS)), max_events=CHUNK_EVENTS)
    state.delta()
    assert len(state.stored().changed) <= 3


def test_a_loaded_state_knows_its_offset_and_horizon() -> None:
    state = state_of(payment(T, 41))
    state.expire(T)
    loaded = reload(state, state.delta())
    assert (loaded.applied_offset, loaded.horizon_ms) == (41, T - WINDOW_MS)


def test_a_loaded_state_numbers_its_chunks_on() -> None:
    state = state_of(*(payment(T + n, n) for n in range(CHUNK_EVENTS)))
    loaded = reload(state, state.delta())
    loaded.insert(payment(T + 500, 500), T)
    assert list(loaded.delta().changed) == [1]


def test_a_state_of_another_version_is_refused() -> None:
    head = Head(version=99, applied_offset=0, horizon_ms=0, truncated_ms=None, truncated_offset=-1)
    with pytest.raises(StateUnreadable, match="state version 99, expected "):
        EntityState.load(GROUPS["order"], WindowConfig(WINDOW_MS), _encode(head), {})


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x95\x01", b"{}"])
def test_a_damaged_head_or_chunk_is_refused(damage: bytes) -> None:
    delta = state_of(payment(T)).delta()
    for head, chunk in [(damage, delta.changed[0]), (delta.head, damage)]:
        with pytest.raises(StateUnreadable):
            EntityState.load(GROUPS["order"], WindowConfig(WINDOW_MS), head, {0: chunk})


def test_a_chunk_whose_text_is_no_utf_8_is_refused() -> None:
    delta = state_of(payment(T, id="abc")).delta()
    damaged = delta.changed[0].replace(b"abc", b"a\xff\xff")
    with pytest.raises(StateUnreadable):
        EntityState.load(GROUPS["order"], WindowConfig(WINDOW_MS), delta.head, {0: damaged})


def test_the_head_is_small() -> None:
    delta = state_of(payment(T)).delta()
    assert len(delta.head) < 40
    assert applied_offset(delta.head) == 0


def test_clicks_survive_a_reload() -> None:
    state = state_of(action(T, 0, page="/", product="p", dwell_ms=5), group="clickstream")
    delta = state.delta()
    loaded = EntityState.load(GROUPS["clickstream"], WindowConfig(WINDOW_MS), delta.head, delta.changed)
    assert loaded.events == state.events
