"""Measures of ranking, against their definitions by brute force."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinstream.audit.ranking import hits_at, percentiles, roc_auc

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 1.0]), st.booleans()), min_size=1, max_size=40)


@given(SCORED)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(scored: list[tuple[float, bool]]) -> None:
    positives = [score for score, label in scored if label]
    negatives = [score for score, label in scored if not label]
    if not positives or not negatives:
        with pytest.raises(ValueError, match="positives and negatives"):
            roc_auc([score for score, _ in scored], [label for _, label in scored])
        return
    won = sum((high > low) + 0.5 * (high == low) for high, low in product(positives, negatives))

    auc = roc_auc([score for score, _ in scored], [label for _, label in scored])

    assert auc == pytest.approx(won / (len(positives) * len(negatives)))


@given(SCORED, st.data())
def test_hits_are_what_any_order_of_the_ties_gives_on_average(
    scored: list[tuple[float, bool]], data: st.DataObject
) -> None:
    alerts = data.draw(st.integers(1, len(scored)))
    ordered = sorted(scores := [score for score, _ in scored], reverse=True)
    edge = ordered[alerts - 1]
    above = [label for score, label in scored if score > edge]
    tied = [label for score, label in scored if score == edge]
    expected = sum(above) + (alerts - len(above)) * sum(tied) / len(tied)

    assert hits_at(scores, [label for _, label in scored], alerts) == pytest.approx(expected)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_percentiles_rank_as_the_scores_do(scores: list[int]) -> None:
    places = percentiles(scores, ["EUR"] * len(scores))

    for (one, place), (other, other_place) in product(zip(scores, places, strict=True), repeat=2):
        assert (one < other) == (place < other_place)
    assert all(0 <= place <= 1 for place in places)


def test_percentiles_of_one_currency_know_nothing_of_another() -> None:
    assert percentiles([1, 2, 1_000, 2_000], ["EUR", "EUR", "JPY", "JPY"]) == [0.0, 1.0, 0.0, 1.0]
