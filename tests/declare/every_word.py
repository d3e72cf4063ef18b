"""A group with every word of the vocabulary, each with and without a condition, and the same by brute force.

The oracle sees the records as they were sent, in the order of time, and computes every feature from their list.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, fsum, sqrt
from typing import Any

from twinstream import (
    Event,
    FeatureGroup,
    Id,
    Name,
    Timestamp,
    aggregate,
    by,
    count,
    decayed_count,
    decayed_sum,
    distinct,
    feature,
    first,
    last,
    last_n,
    max,
    mean,
    min,
    mode,
    quantile,
    rate,
    share,
    since_first,
    since_last,
    since_previous,
    std,
    sum,
    top_k,
    truncated,
)
from twinstream.declare.group import definition_of

Record = dict[str, Any]
Records = Sequence[Record]


class Sale(Event):
    sale_id: Id
    at: Timestamp
    customer: Id
    item: Name | None = None
    cents: int | None = None
    refunded: bool = False


class Odd:
    """How many odd amounts there are: an aggregate of one's own for which order does not matter."""

    value: int

    def __init__(self) -> None:
        self.value = 0

    def add(self, cents: int) -> None:
        self.value += cents % 2

    def remove(self, cents: int) -> None:
        self.value -= cents % 2


class Rises:
    """How many amounts are larger than the one before: an aggregate of one's own for which order matters."""

    def __init__(self) -> None:
        self._cents: list[int] = []
        self._rises = 0

    @property
    def value(self) -> int:
        return self._rises

    def append(self, cents: int) -> None:
        self._cents.append(cents)
        self._rises += self._cents[-2:] != [cents] and self._cents[-2] < cents

    def pop(self, cents: int) -> None:
        self._rises -= self._cents[-2:] != [cents] and self._cents[-2] < cents
        self._cents.pop()

    def appendleft(self, cents: int) -> None:
        self._cents.insert(0, cents)
        self._rises += self._cents[:2] != [cents] and cents < self._cents[1]

    def popleft(self, cents: int) -> None:
        self._rises -= self._cents[:2] != [cents] and cents < self._cents[1]
        del self._cents[0]


def tens(sale: Sale) -> int | None:
    """A projection: the amount in whole tens; none for a small one."""
    return None if sale.cents is None or abs(sale.cents) < 10 else sale.cents // 10


# --- by brute force --------------------------------------------------------------------------------------------------


def given(records: Records, field: str) -> list[Any]:
    """The values of a field that are there."""
    return [record[field] for record in records if record[field] is not None]


def all_tens(records: Records) -> list[int]:
    return [cents // 10 for cents in given(records, "cents") if abs(cents) >= 10]


def total(values: Sequence[int]) -> int:
    found = 0
    for value in values:
        found += value
    return found


def average(values: Sequence[int]) -> float | None:
    return float(Fraction(total(values), len(values))) if values else None


def deviation(values: Sequence[int]) -> float | None:
    if not values:
        return None
    middle = Fraction(total(values), len(values))
    return sqrt(Fraction(total([(value - middle) ** 2 for value in values]), len(values)))  # type: ignore[misc]


def ranked(values: Sequence[int], percent: int) -> int | None:
    return sorted(values)[ceil(Fraction(percent * len(values), 100)) - 1] if values else None


def most(values: Sequence[Any], number: int) -> tuple[Any, ...]:
    return tuple(sorted(set(values), key=lambda value: (-values.count(value), value))[:number])


def seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def decayed(records: Records, now: int, values: Sequence[int], half_life: int = 60_000) -> float:
    return fsum(
        value * 2.0 ** ((record["at"] - now) / half_life) for record, value in zip(records, values, strict=True)
    )


def shown(value: Any) -> str:
    """A value in a list; the oracle takes another way to a float, so its last digits are left out."""
    return str(round(value, 9) if isinstance(value, float) else value)


def by_item(records: Records, value_of: Callable[[Records], Any], field: str = "item") -> tuple[str, ...]:
    """A value for each item, of those of its records that have the field."""
    items = sorted({record["item"] for record in records if record["item"] is not None and record[field] is not None})
    of_item = {item: [record for record in records if record["item"] == item] for item in items}
    return tuple(f"{item}={shown(value_of(of_item[item]))}" for item in items)


Naive = Callable[[Records, int, int], Any]
"""A feature by brute force: of the records in the window, the moment and the window's length."""

WORDS: dict[str, tuple[Callable[..., Any], Naive]] = {
    "count": (count, lambda records, now, size: len(records)),
    "rate": (rate, lambda records, now, size: len(records) / (size / 60_000)),
    "share": (
        lambda **about: share(Sale.refunded, **about),
        lambda records, now, size: average([int(record["refunded"]) for record in records]),
    ),
    "share_if": (
        lambda **about: share(lambda sale: sale.item == "b", **about),
        lambda records, now, size: average([int(record["item"] == "b") for record in records]),
    ),
    "sum": (lambda **about: sum(Sale.cents, **about), lambda records, now, size: total(given(records, "cents"))),
    "sum_tens": (lambda **about: sum(tens, **about), lambda records, now, size: total(all_tens(records))),
    "mean": (lambda **about: mean(Sale.cents, **about), lambda records, now, size: average(given(records, "cents"))),
    "std": (lambda **about: std(Sale.cents, **about), lambda records, now, size: deviation(given(records, "cents"))),
    "min": (lambda **about: min(Sale.cents, **about), lambda records, now, size: ranked(given(records, "cents"), 1)),
    "max": (lambda **about: max(Sale.cents, **about), lambda records, now, size: ranked(given(records, "cents"), 100)),
    "median": (
        lambda **about: quantile(Sale.cents, 0.5, **about),
        lambda records, now, size: ranked(given(records, "cents"), 50),
    ),
    "p90": (
        lambda **about: quantile(Sale.cents, 0.9, **about),
        lambda records, now, size: ranked(given(records, "cents"), 90),
    ),
    "distinct": (
        lambda **about: distinct(Sale.item, **about),
        lambda records, now, size: len(set(given(records, "item"))),
    ),
    "first": (
        lambda **about: first(Sale.item, **about),
        lambda records, now, size: next(iter(given(records, "item")), None),
    ),
    "last": (
        lambda **about: last(Sale.cents, **about),
        lambda records, now, size: next(iter(given(records, "cents")[::-1]), None),
    ),
    "last_at": (
        lambda **about: last(Sale.at, **about),
        lambda records, now, size: next(iter(given(records, "at")[::-1]), None),
    ),
    "last_n": (
        lambda **about: last_n(Sale.item, 2, **about),
        lambda records, now, size: tuple(given(records, "item")[::-1][:2]),
    ),
    "mode": (
        lambda **about: mode(Sale.item, **about),
        lambda records, now, size: next(iter(most(given(records, "item"), 1)), None),
    ),
    "top_k": (lambda **about: top_k(Sale.item, 2, **about), lambda records, now, size: most(given(records, "item"), 2)),
    "since_previous": (
        since_previous,
        lambda records, now, size: seconds(records[-1]["at"] - records[-2]["at"]) if len(records) > 1 else None,
    ),
    "since_first": (
        since_first,
        lambda records, now, size: seconds(records[-1]["at"] - records[0]["at"]) if records else None,
    ),
    "since_last": (since_last, lambda records, now, size: seconds(now - records[-1]["at"]) if records else None),
    "decayed_count": (
        lambda **about: decayed_count("1m", **about),
        lambda records, now, size: decayed(records, now, [1] * len(records)),
    ),
    "decayed_sum": (
        lambda **about: decayed_sum(Sale.cents, "7s", **about),
        lambda records, now, size: decayed(
            [record for record in records if record["cents"] is not None], now, given(records, "cents"), 7_000
        ),
    ),
    "odd": (
        lambda **about: aggregate(Odd, Sale.cents, **about),
        lambda records, now, size: len([cents for cents in given(records, "cents") if cents % 2]),
    ),
    "rises": (
        lambda **about: aggregate(Rises, Sale.cents, **about),
        lambda records, now, size: len([1 for one, other in pairwise(given(records, "cents")) if one < other]),
    ),
}
"""Every word: how it is declared, and what it must answer."""

BY: dict[str, tuple[Callable[..., Any], Naive]] = {
    "count_by": (
        lambda **about: by(Sale.item, count(**about)),
        lambda records, now, size: by_item(records, len),
    ),
    "mean_by": (
        lambda **about: by(Sale.item, mean(Sale.cents, **about)),
        lambda records, now, size: by_item(records, lambda some: average(given(some, "cents")), "cents"),
    ),
    "last_by": (
        lambda **about: by(Sale.item, last(Sale.cents, **about)),
        lambda records, now, size: by_item(records, lambda some: given(some, "cents")[-1], "cents"),
    ),
    "decayed_by": (
        lambda **about: by(Sale.item, decayed_count("1m", **about)),
        lambda records, now, size: by_item(records, lambda some: decayed(some, now, [1] * len(some))),
    ),
    "rises_by": (
        lambda **about: by(Sale.item, aggregate(Rises, Sale.cents, **about)),
        lambda records, now, size: by_item(records, lambda some: WORDS["rises"][1](some, now, size), "cents"),
    ),
}
"""Words by category, which a method makes a list of."""

CONDITIONS: dict[str, tuple[dict[str, Any], Callable[[Record], bool]]] = {
    "": ({}, lambda record: True),
    "_refunded": ({"where": lambda sale: sale.refunded}, lambda record: record["refunded"]),
    "_dear": (
        {"where": lambda sale: sale.cents is not None and sale.cents > 1},
        lambda record: record["cents"] is not None and record["cents"] > 1,
    ),
}
"""Conditions: how they are declared, and of the record as it was sent."""


def listed(name: str) -> Any:
    """A method that makes a list of what an aggregate says of each category."""

    def listing(self: Any) -> tuple[str, ...]:
        """What it says of each item."""
        return tuple(f"{item}={shown(value)}" for item, value in getattr(self, f"_{name}").items())

    listing.__name__ = name
    return feature()(listing)


def _features() -> Iterator[tuple[str, Any]]:
    for suffix, (about, _) in CONDITIONS.items():
        for name, (declare, _) in WORDS.items():
            yield name + suffix, declare(**about)
        for name, (declare, _) in BY.items():
            yield f"_{name}{suffix}", declare(**about)
            yield name + suffix, listed(name + suffix)
    yield "window_truncated", truncated()


_fields: Any = Sale
_options = {"topic": "sales", "entity": _fields.customer, "time": _fields.at, "id": _fields.sale_id}
CLASS: Any = type("EveryWord", (FeatureGroup,), dict(_features()), event=Sale, **_options)
EVERY_WORD = definition_of(CLASS)
"""All of them in one group."""


def vector(records: Records, now_ms: int, size_ms: int) -> dict[str, Any]:
    """Every feature of the group, of the records in a window in the order of time."""
    found = {}
    for suffix, (_, holds) in CONDITIONS.items():
        counted = [record for record in records if holds(record)]
        for name, (_, naive) in (WORDS | BY).items():
            found[name + suffix] = naive(counted, now_ms, size_ms)
    return found
