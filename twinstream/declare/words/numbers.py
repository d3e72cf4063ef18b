"""Words that answer numbers: of events, and of integers in them."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, sqrt
from types import FunctionType
from typing import Any, Unpack

from twinstream.core.aggregates import Maximum
from twinstream.core.validation import DefinitionError
from twinstream.core.window import Window
from twinstream.declare.accumulators import Count, Minimum, Sorted, Squares, Sum
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.sources import condition_of, source_of
from twinstream.declare.words.common import About, Integers, held, integers, made, ratio


def count(**about: Unpack[About]) -> Aggregated[int]:
    """How many events there are.

    >>> from twinstream.declare.examples import answer
    >>> answer(count()), answer(count(where=lambda sale: sale.refunded))
    (5, 1)
    """
    return made(
        "count", (Count,), None, about, held, returns=int, unit="events", meaning="Events in the window{where}."
    )


def rate(**about: Unpack[About]) -> Aggregated[float]:
    """Events per minute: how many there are over the window's length.

    >>> from twinstream.declare.examples import answer
    >>> answer(rate())
    1.0
    """

    def per_minute(window: Window[Any], events: Count) -> float:
        return events.value * 60_000 / window.size_ms

    meaning = "Events in the window{where}, over the window's length."
    return made("rate", (Count,), None, about, per_minute, returns=float, unit="events/min", meaning=meaning)


def share(of: bool | Callable[[Any], object] | None, **about: Unpack[About]) -> Aggregated[float | None]:
    """The part of the events for which a condition holds, from 0 to 1; null without events.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(share(Sale.refunded)), answer(share(lambda sale: sale.cents > 300, where=lambda sale: not sale.refunded))
    (0.2, 0.75)
    """
    source = (condition_of(of) if isinstance(of, FunctionType) else None) or source_of(of, "share")
    if source.kinds != (bool,):
        raise DefinitionError(f"share takes a condition, and {source.text} is no bool")
    meaning = "Share of those for which {of} holds among the events in the window{where}; null without any."
    return made("share", (Sum, Count), source, about, ratio, returns=float | None, unit="ratio", meaning=meaning)


def sum(of: Integers, **about: Unpack[About]) -> Aggregated[int]:
    """The sum of integers; 0 without any.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(sum(Sale.cents)), answer(sum(Sale.cents, where=lambda sale: sale.item == "tea"))
    (2849, 600)
    """
    meaning = "Sum of {of} over the events in the window{where}."
    return made("sum", (Sum,), integers(of, "sum"), about, held, returns=int, meaning=meaning)


def mean(of: Integers, **about: Unpack[About]) -> Aggregated[float | None]:
    """The arithmetic mean of integers; null without any.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(mean(Sale.cents))
    569.8
    """
    meaning = "Mean of {of} over the events in the window{where}; null without any."
    return made("mean", (Sum, Count), integers(of, "mean"), about, ratio, returns=float | None, meaning=meaning)


def std(of: Integers, **about: Unpack[About]) -> Aggregated[float | None]:
    """The population standard deviation of integers, sqrt(n Σx² - (Σx)²) / n; null without any, 0 for a single one.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(std(Sale.cents)), answer(std(Sale.cents, where=lambda sale: sale.item == "tea"))
    (281.83001969272186, 0.0)
    """

    def deviation(window: Window[Any], total: Sum, squares: Squares, events: Count) -> float | None:
        n = events.value
        return sqrt(n * squares.value - total.value * total.value) / n if n else None

    meaning = "Population standard deviation of {of} over the events in the window{where}; null without any."
    parts = (Sum, Squares, Count)
    return made("std", parts, integers(of, "std"), about, deviation, returns=float | None, meaning=meaning)


def min(of: Integers, **about: Unpack[About]) -> Aggregated[int | None]:
    """The smallest of integers; null without any. A heap: what an event costs grows with the logarithm of how many.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(min(Sale.cents)), answer(min(Sale.cents, where=lambda sale: sale.cents > 5_000))
    (300, None)
    """
    meaning = "Smallest {of} of the events in the window{where}; null without any."
    return made("min", (Minimum,), integers(of, "min"), about, held, returns=int | None, meaning=meaning)


def max(of: Integers, **about: Unpack[About]) -> Aggregated[int | None]:
    """The largest of integers; null without any. A heap, as of `min`.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(max(Sale.cents)), answer(max(Sale.cents, where=lambda sale: sale.item is not None and sale.cents < 900))
    (999, 450)
    """
    meaning = "Largest {of} of the events in the window{where}; null without any."
    return made("max", (Maximum,), integers(of, "max"), about, held, returns=int | None, meaning=meaning)


def quantile(of: Integers, q: float, **about: Unpack[About]) -> Aggregated[int | None]:
    """The exact quantile of integers, by nearest rank: of n by size, the one at place ceil(q × n); null without any.

    `q` counts as the decimal number that is written. An event costs a search among the values in the window, and a move
    of the larger ones in memory: 8 bytes for each.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(quantile(Sale.cents, 0.5)), answer(quantile(Sale.cents, 0.95))
    (450, 999)
    """
    if not isinstance(q, int | float) or not 0 < q <= 1:
        raise DefinitionError(f"quantile was given q={q!r}. It is above 0 and at most 1, such as 0.95")
    exact = Fraction(str(float(q)))

    def ranked(window: Window[Any], ordered: Sorted) -> int | None:
        values = ordered.values
        return values[ceil(exact * len(values)) - 1] if values else None

    meaning = f"Quantile {q} of {{of}} over the events in the window{{where}}, by nearest rank; null without any."
    return made("quantile", (Sorted,), integers(of, "quantile"), about, ranked, returns=int | None, meaning=meaning)
