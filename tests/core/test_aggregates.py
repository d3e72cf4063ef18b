"""The bricks: what was taken back leaves no trace."""

from hypothesis import given
from hypothesis import strategies as st

from twinstream.core.aggregates import Maximum, Money, Tally

values = st.lists(st.integers(-3, 8), max_size=60)


@given(values, st.randoms(use_true_random=False))
def test_maximum_is_the_largest_that_is_left(added: list[int], random: object) -> None:
    largest, inside = Maximum(), []
    for value in added:
        largest.add(value)
        inside.append(value)
        while inside and random.random() < 0.45:  # type: ignore[attr-defined]
            largest.remove(inside.pop(random.randrange(len(inside))))  # type: ignore[attr-defined]
        assert largest.value == max(inside, default=None)


def test_maximum_keeps_at_most_twice_what_is_inside() -> None:
    largest = Maximum()
    for value in range(10_000, 0, -1):  # the largest stays to the last, so nothing cancels at the top
        largest.add(value)
        if value < 10_000:
            largest.remove(value)
    assert len(largest._given) + len(largest._taken or ()) < 64
    assert largest.value == 10_000


@given(st.lists(st.sampled_from(["a", "b", None])), st.data())
def test_tally_counts_the_different_values_that_are_left(added: list[str | None], data: st.DataObject) -> None:
    tally = Tally()
    for value in added:
        tally.add(value)
    removed = data.draw(st.integers(0, len(added)))
    for value in added[:removed]:
        tally.remove(value)
    assert len(tally) == len(set(added[removed:]) - {None})


@given(st.lists(st.integers(0, 10**16), min_size=1), st.data())
def test_money_taken_back_leaves_exactly_what_is_left(amounts: list[int], data: st.DataObject) -> None:
    money = Money()
    for amount in amounts:
        money.add(amount)
    removed = data.draw(st.integers(0, len(amounts) - 1))
    for amount in amounts[:removed]:
        money.remove(amount)
    left = amounts[removed:]
    assert (money.count, money.total, money.squares) == (len(left), sum(left), sum(amount**2 for amount in left))
    assert money.largest.value == max(left)
