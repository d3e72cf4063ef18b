"""The risk score never falls when what a rule looks at gets worse. (Which rule fires when: tests/golden/risk.yaml.)"""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from features.events import Payment
from features.risk import FULL, RULES, Rule, ramp
from tests.core.test_state import state_of
from tests.features.events import MIDDAY_MS, as_dict, payment
from tests.oracle.stories import payment_fields

HOUR_MS = 3_600_000
PLACES = [None, (0, 0), (0, 400_000), (0, 700_000), (0, 3_000_000), (48_856_600, 2_352_200)]


@st.composite
def payments(draw: st.DrawFn) -> list[Payment]:
    """Up to a dozen payments within one window."""
    gaps = draw(st.lists(st.sampled_from([0, 1, 1_000, 20_000]), min_size=1, max_size=12))
    times = [MIDDAY_MS + sum(gaps[: n + 1]) for n in range(len(gaps))]
    events = [payment(time, n, **draw(payment_fields)) for n, time in enumerate(times)]
    return [replace(event, place=draw(st.sampled_from(PLACES))) for event in events]


def score(events: list[Payment]) -> float:
    vector = as_dict(state_of(*events, group="transaction").newest_vector())
    return float(vector["risk_score"])


def with_one(events: list[Payment], data: st.DataObject, **fields: Any) -> list[Payment]:
    """The payments, one of them with other fields."""
    chosen = data.draw(st.integers(0, len(events) - 1))
    return [replace(event, **fields) if n == chosen else event for n, event in enumerate(events)]


@given(payments(), st.data())
def test_score_never_falls_with_one_more_decline(events: list[Payment], data: st.DataObject) -> None:
    assert score(with_one(events, data, declined=True)) >= score(events)


@given(payments(), st.data())
def test_score_never_falls_with_one_more_country(events: list[Payment], data: st.DataObject) -> None:
    assert score(with_one(events, data, country="ZZ")) >= score(events)


@given(payments(), st.data())
def test_score_never_falls_with_one_more_device(events: list[Payment], data: st.DataObject) -> None:
    assert score(with_one(events, data, device="unseen")) >= score(events)


@given(payments())
def test_score_never_falls_with_one_more_payment(events: list[Payment]) -> None:
    one_more = payment(MIDDAY_MS - 1, 99, currency="XXX", amount_minor=0)  # nothing but its count can matter
    assert score([one_more, *events]) >= score(events)


@given(payments(), st.integers(1, 10**13))
def test_score_never_falls_with_a_larger_newest_amount(events: list[Payment], more: int) -> None:
    newest = events[-1]
    assert score([*events[:-1], replace(newest, amount_minor=newest.amount_minor + more)]) >= score(events)


@given(payments(), st.data())
def test_score_never_falls_with_a_smaller_rest(events: list[Payment], data: st.DataObject) -> None:
    smaller = [replace(event, amount_minor=event.amount_minor // data.draw(st.integers(1, 5))) for event in events[:-1]]
    assert score([*smaller, events[-1]]) >= score(events)


@given(st.lists(st.integers(0, 299_000), min_size=1, max_size=12, unique=True), st.sampled_from(PLACES[1:]))
def test_score_never_falls_with_a_faster_move(gaps: list[int], place: tuple[int, int]) -> None:
    here = payment(MIDDAY_MS, 1, place=(0, 0))
    scores = [score([payment(MIDDAY_MS - gap, 0, place=place), here]) for gap in sorted(gaps, reverse=True)]
    assert scores == sorted(scores)


@given(payments())
def test_score_never_falls_at_an_unusual_hour(events: list[Payment]) -> None:
    at_two = [replace(event, time_ms=event.time_ms - 10 * HOUR_MS) for event in events]
    assert score(at_two) >= score(events)


@given(payments())
def test_score_is_from_0_to_1_and_positive_only_with_a_reason(events: list[Payment]) -> None:
    vector = as_dict(state_of(*events, group="transaction").newest_vector())
    assert 0 <= vector["risk_score"] <= 1
    assert (vector["risk_score"] > 0) == bool(vector["risk_reasons"])


@given(st.lists(st.integers(-10, 2_000), min_size=2), st.integers(1, 500), st.integers(1, 500))
def test_ramp_never_falls(values: list[int], start: int, width: int) -> None:
    severities = [ramp(value, start, start + width) for value in sorted(values)]
    assert all(before <= after for before, after in pairwise(severities))
    assert all(0 <= severity <= FULL for severity in severities)


def test_rules_stand_by_weight_then_name() -> None:
    assert [(rule.name, rule.weight) for rule in RULES] == [
        ("impossible_travel", 600),
        ("velocity_burst", 450),
        ("repeated_declines", 400),
        ("amount_spike", 350),
        ("several_countries", 350),
        ("several_devices", 300),
        ("unusual_hour", 100),
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_looks_at(rule: Rule) -> None:
    assert rule.meaning


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_severity_begins_at_the_start_and_is_full_at_the_end(rule: Rule) -> None:
    assert ramp(rule.start - 1, rule.start, rule.full) == 0
    assert ramp(rule.start, rule.start, rule.full) >= FULL // 2
    assert ramp(rule.full, rule.start, rule.full) == FULL
