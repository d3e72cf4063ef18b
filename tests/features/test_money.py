"""Amounts as integers of minor units."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.money import MAX_AMOUNT, minor_per_major, order_total, to_minor


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        # half-even: a tie goes to the even neighbour
        ("10.125", "EUR", 1012),
        ("10.135", "EUR", 1014),
        ("0.005", "EUR", 0),
        ("0.015", "EUR", 2),
        ("0.0050000000000000000000000000000000000000000000000000000000000000000001", "EUR", 1),
        ("0.00499999999999999999999999999999999999999999999999999999999999999999", "EUR", 0),
        # the currency's own digits
        ("0.5", "JPY", 0),
        ("1.5", "JPY", 2),
        ("2.5", "JPY", 2),
        ("1234", "JPY", 1234),
        ("1.0005", "KWD", 1000),
        ("1.0015", "KWD", 1002),
        ("1.2345", "KWD", 1234),
        ("1.00005", "CLF", 10000),
        ("10.10", "XXX", 1010),
        # shapes of numbers
        ("1E+2", "EUR", 10_000),
        ("-0", "EUR", 0),
        ("0E+999999", "EUR", 0),
        ("1E-999999", "EUR", 0),
        (str(MAX_AMOUNT), "CLF", 10**16),
    ],
)
def test_amount_in_minor_units(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize("amount", ["-0.01", "-1E-999999", "1000000000000.01", "1E+999999", "NaN", "sNaN", "Infinity"])
def test_amount_out_of_range_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="finite amount from 0"):
        to_minor(Decimal(amount), "EUR")


def test_a_thousand_digits_are_rounded_once() -> None:
    assert to_minor(Decimal("0." + "4" * 1_000), "EUR") == 44
    assert to_minor(Decimal("1" + "0" * 11 + "." + "9" * 1_000), "EUR") == 10_000_000_000_100


@pytest.mark.parametrize(
    ("price", "quantity", "discount", "total"),
    [
        ("19.99", 3, "0.15", "50.9745"),
        ("19.99", 3, "0", "59.97"),
        ("19.99", 3, "1", "0.0000"),
        ("0.1", 3, "0.1", "0.27"),
        ("999999999999", 1_000_000, "0", "999999999999000000"),
    ],
)
def test_order_total_is_exact(price: str, quantity: int, discount: str, total: str) -> None:
    assert order_total(Decimal(price), quantity, Decimal(discount)) == Decimal(total)


def test_order_of_a_tie_is_rounded_half_even_after_the_multiplication() -> None:
    assert to_minor(order_total(Decimal("0.05"), 1, Decimal("0.5")), "EUR") == 2  # 0.025
    assert to_minor(order_total(Decimal("0.07"), 1, Decimal("0.5")), "EUR") == 4  # 0.035


def test_too_many_digits_to_multiply_exactly_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 100 digits"):
        order_total(Decimal("0." + "1" * 101), 1, Decimal("0"))


@given(st.integers(0, 10**14), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_whole_minor_units_are_kept_exactly(minor: int, currency: str) -> None:
    minor = min(minor, MAX_AMOUNT)
    assert to_minor(Decimal(minor) / minor_per_major(currency), currency) == minor
