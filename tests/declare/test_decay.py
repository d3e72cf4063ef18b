"""A value that counts half as much after every half-life: exact integers, and as near to the real number as is said."""

from decimal import Context, Decimal

from hypothesis import given
from hypothesis import strategies as st

from twinstream.declare.decay import PLACES, decaying

half_lives = st.sampled_from([1_000, 7_000, 60_000, 600_000, 86_400_000, 30 * 86_400_000])
exactly = Context(prec=60)


@given(half_lives, st.data())
def test_a_weight_is_right_to_a_part_in_ten_to_the_seventeen(half_life_ms: int, data: st.DataObject) -> None:
    rest_ms = data.draw(st.integers(0, half_life_ms - 1))
    weight = Decimal(decaying(half_life_ms)()._weight(rest_ms)) / (1 << PLACES)
    real = exactly.power(2, exactly.divide(rest_ms, half_life_ms))
    assert abs(exactly.divide(weight, real) - 1) < Decimal("1e-17")


times_ms = st.integers(1_772_452_800_000, 1_772_452_800_000 + 300_000)
values = st.lists(st.tuples(times_ms, st.integers(-(10**15), 10**15)), max_size=20)


@given(values, st.data())
def test_what_was_given_back_leaves_no_trace(taken: list[tuple[int, int]], data: st.DataObject) -> None:
    kind = decaying(7_000)
    total, left = kind(), kind()
    for timed in taken:
        total.add(timed)
    stays = data.draw(st.lists(st.booleans(), min_size=len(taken), max_size=len(taken)))
    for timed, stay in zip(taken, stays, strict=True):
        if stay:
            left.add(timed)
        else:
            total.remove(timed)
    assert total._sums == left._sums


def test_after_a_half_life_the_half_is_left() -> None:
    total = decaying(60_000)()
    total.add((1_772_452_812_345, 1_000))
    moments = [1_772_452_812_345 + 60_000 * number for number in range(4)]
    assert [total.at(now_ms) for now_ms in moments] == [1_000, 500, 250, 125]
