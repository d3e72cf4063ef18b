"""Amounts as integers: a decimal amount becomes minor units of its currency, rounded half-even.

Integers add and subtract exactly, so a sliding sum never drifts.
"""

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation

DEFAULT_EXPONENT = 2
EXPONENTS: dict[str, int] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
"""Digits after the decimal point (ISO 4217) of the currencies that do not have two."""

MAX_AMOUNT = 10**12
"""The largest amount accepted, in major units; it keeps sums and squares of a whole window small integers."""

_SCALES = {digits: 10**digits for digits in (0, 2, 3, 4)}
_DECIMAL_SCALES = {digits: Decimal(scale) for digits, scale in _SCALES.items()}
_ZERO, _MOST = Decimal(0), Decimal(MAX_AMOUNT)  # comparing a Decimal with an int takes five times as long
_times = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN).multiply
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


def minor_per_major(currency: str) -> int:
    """Minor units in a major unit of a currency; 100 for a code that the table does not list.

    >>> minor_per_major("EUR"), minor_per_major("JPY"), minor_per_major("KWD")
    (100, 1, 1000)
    """
    return _SCALES[EXPONENTS.get(currency, DEFAULT_EXPONENT)]


def to_minor(amount: Decimal, currency: str) -> int:
    """The amount in minor units of the currency, rounded half-even.

    >>> to_minor(Decimal("10.125"), "EUR"), to_minor(Decimal("0.5"), "JPY"), to_minor(Decimal("1.0005"), "KWD")
    (1012, 0, 1000)

    Raises:
        ValueError: the amount is not a finite number from 0 to MAX_AMOUNT.
    """
    if not (amount.is_finite() and _ZERO <= amount <= _MOST):
        raise ValueError(f"expected a finite amount from 0 to {MAX_AMOUNT}")
    return round(_times(amount, _DECIMAL_SCALES[EXPONENTS.get(currency, DEFAULT_EXPONENT)]))


def order_total(price: Decimal, quantity: int, discount: Decimal) -> Decimal:
    """price × quantity × (1 − discount), exactly; the discount is a fraction from 0 to 1.

    >>> order_total(Decimal("19.99"), 3, Decimal("0.15"))
    Decimal('50.9745')

    Raises:
        ValueError: the price is out of range, or there are more digits than can be multiplied exactly.
    """
    if not (price.is_finite() and _ZERO <= price <= _MOST):
        raise ValueError(f"expected a finite price from 0 to {MAX_AMOUNT}")
    try:
        kept = _EXACT.subtract(Decimal(1), discount)
        return _EXACT.multiply(_EXACT.multiply(price, Decimal(quantity)), kept)
    except Inexact:
        raise ValueError("expected a price and a discount of fewer than 100 digits together") from None
