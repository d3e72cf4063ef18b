"""Distances and speeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.distances import EARTH_RADIUS_M, haversine_m
from tests.core.test_state import state_of
from tests.features.events import MIDDAY_MS, as_dict, payment

PARIS, LONDON = (48_856_600, 2_352_200), (51_507_400, -127_800)
HALF_ROUND_M = round(3.141592653589793 * EARTH_RADIUS_M)
places = st.tuples(st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))
T = MIDDAY_MS
JUST_50_KM = (0, 449_660)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        (PARIS, PARIS, 0),
        (PARIS, LONDON, 343_557),
        ((0, 0), (0, 1_000_000), 111_195),  # a degree of the equator
        ((0, 0), (1_000_000, 0), 111_195),
        ((0, 0), (0, 180_000_000), HALF_ROUND_M),  # opposite
        ((90_000_000, 0), (-90_000_000, 0), HALF_ROUND_M),  # pole to pole
        ((90_000_000, 0), (90_000_000, 120_000_000), 0),  # all longitudes meet at the pole
        ((0, 179_999_999), (0, -179_999_999), 0),  # 22 cm across the date line
        ((10_000_000, 180_000_000), (10_000_000, -180_000_000), 0),
        ((0, 0), (0, 9), 1),
    ],
)
def test_haversine(a: tuple[int, int], b: tuple[int, int], metres: int) -> None:
    assert haversine_m(a, b) == metres


@given(places, places)
def test_distance_is_symmetric_and_at_most_half_round(a: tuple[int, int], b: tuple[int, int]) -> None:
    assert haversine_m(a, b) == haversine_m(b, a)
    assert 0 <= haversine_m(a, b) <= HALF_ROUND_M


def test_one_located_payment_has_nothing_to_compare_with() -> None:
    vector = as_dict(state_of(payment(T, 0, place=PARIS), payment(T + 1, 1)).newest_vector())
    geo = ("distance_from_previous_km", "speed_from_previous_kmh", "max_speed_kmh", "window_span_km")
    assert [vector[name] for name in geo] == [None] * 4


def test_payments_without_a_place_are_passed_over() -> None:
    state = state_of(payment(T, 0, place=PARIS), payment(T + 1, 1), payment(T + 60_000, 2, place=LONDON))
    assert as_dict(state.newest_vector())["distance_from_previous_km"] == 343.557


def test_speed_is_metres_over_time() -> None:
    state = state_of(payment(T, 0, place=PARIS), payment(T + 60_000, 1, place=LONDON))
    assert as_dict(state.newest_vector())["speed_from_previous_kmh"] == 20_613.42


def test_two_payments_in_one_second_count_as_a_second_apart() -> None:
    state = state_of(payment(T, 0, place=(0, 0)), payment(T, 1, place=(0, 9_000)))
    assert as_dict(state.newest_vector())["speed_from_previous_kmh"] == 3603.6  # 1 001 m in 1 s


def test_fastest_move_is_remembered_while_both_ends_are_in_the_window() -> None:
    state = state_of(
        payment(T, 0, place=PARIS), payment(T + 60_000, 1, place=LONDON), payment(T + 120_000, 2, place=LONDON)
    )
    speeds = [as_dict(state.vector_at(now))["max_speed_kmh"] for now in (T + 120_000, T + 299_999, T + 300_000)]
    assert speeds == [20_613.42, 20_613.42, 0.0]


def test_fastest_move_is_remembered_again_when_asked_for_an_earlier_moment() -> None:
    state = state_of(payment(T, 0, place=PARIS), payment(T + 60_000, 1, place=LONDON))
    speeds = [as_dict(state.vector_at(now))["max_speed_kmh"] for now in (T + 300_000, T + 299_999, T + 59_999)]
    assert speeds == [None, 20_613.42, None]


def test_a_jump_of_exactly_50_km_counts_while_it_is_in_the_window() -> None:
    first, second = payment(T, 0, place=(0, 0)), payment(T + 1_000, 1, place=JUST_50_KM)
    state = state_of(first, second, group="transaction")
    reasons = [as_dict(state.vector_at(now))["risk_reasons"] for now in (T + 1_000, T + 299_999, T + 300_000)]
    assert reasons == [("impossible_travel",), ("impossible_travel",), ()]


def test_span_is_from_the_oldest_to_the_newest_place() -> None:
    state = state_of(*(payment(T + n, n, place=place) for n, place in enumerate([PARIS, (0, 0), LONDON])))
    assert as_dict(state.newest_vector())["window_span_km"] == 343.557


def test_an_event_in_between_splits_a_move() -> None:
    state = state_of(
        payment(T, 0, place=PARIS), payment(T + 2_000, 1, place=LONDON), payment(T + 1_000, 2, place=LONDON)
    )
    vector = as_dict(state.newest_vector())
    assert (vector["distance_from_previous_km"], vector["max_speed_kmh"]) == (0.0, 1_236_805.2)
