"""Words that answer values of the events: how many different ones, the first, the last, the most frequent."""

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

from twinstream.core.window import Window
from twinstream.declare.accumulators import Frequencies, Series
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.sources import source_of
from twinstream.declare.words.common import About, check_number, comparable, made, or_null, several

V = TypeVar("V")


def distinct(of: object, **about: Unpack[About]) -> Aggregated[int]:
    """How many different values there are.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(distinct(Sale.item)), answer(distinct(Sale.item, where=lambda sale: sale.refunded))
    (3, 1)
    """

    def different(window: Window[Any], values: Frequencies) -> int:
        return len(values)

    meaning = "Different values of {of} in the window{where}."
    source = source_of(of, "distinct")
    return made("distinct", (Frequencies,), source, about, different, returns=int, unit="values", meaning=meaning)


@overload
def first(of: Callable[[Any], V | None], **about: Unpack[About]) -> Aggregated[V | None]: ...
@overload
def first(of: V | None, **about: Unpack[About]) -> Aggregated[V | None]: ...
def first(of: Any, **about: Unpack[About]) -> Aggregated[Any]:
    """The oldest value; null without any.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(first(Sale.item)), answer(first(Sale.item, where=lambda sale: sale.cents > 300))
    ('tea', 'cake')
    """

    def oldest(window: Window[Any], series: Series) -> Any:
        return series.values[0] if series.values else None

    source = source_of(of, "first")
    meaning = "Oldest {of} in the window{where}; null without any."
    return made("first", (Series,), source, about, oldest, returns=or_null(source), meaning=meaning)


@overload
def last(of: Callable[[Any], V | None], **about: Unpack[About]) -> Aggregated[V | None]: ...
@overload
def last(of: V | None, **about: Unpack[About]) -> Aggregated[V | None]: ...
def last(of: Any, **about: Unpack[About]) -> Aggregated[Any]:
    """The newest value; null without any.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(last(Sale.item)), answer(last(Sale.cents, where=lambda sale: sale.refunded))
    ('jam', 300)
    """

    def newest(window: Window[Any], series: Series) -> Any:
        return series.values[-1] if series.values else None

    source = source_of(of, "last")
    meaning = "Newest {of} in the window{where}; null without any."
    return made("last", (Series,), source, about, newest, returns=or_null(source), meaning=meaning)


@overload
def last_n(of: Callable[[Any], V | None], n: int, **about: Unpack[About]) -> Aggregated[tuple[V, ...]]: ...
@overload
def last_n(of: V | None, n: int, **about: Unpack[About]) -> Aggregated[tuple[V, ...]]: ...
def last_n(of: Any, n: int, **about: Unpack[About]) -> Aggregated[Any]:
    """The newest values, up to `n` of them, the newest first.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(last_n(Sale.item, 2))
    ('jam', 'tea')
    """
    check_number("last_n", n)

    def newest(window: Window[Any], series: Series) -> tuple[Any, ...]:
        values = series.values
        return tuple([values[-back] for back in range(1, 1 + min(n, len(values)))])

    source = source_of(of, "last_n")
    meaning = f"Newest {n} of {{of}} in the window{{where}}, the newest first."
    return made("last_n", (Series,), source, about, newest, returns=several(source), meaning=meaning)


@overload
def mode(of: Callable[[Any], V | None], **about: Unpack[About]) -> Aggregated[V | None]: ...
@overload
def mode(of: V | None, **about: Unpack[About]) -> Aggregated[V | None]: ...
def mode(of: Any, **about: Unpack[About]) -> Aggregated[Any]:
    """The most frequent value, of equally frequent ones the smaller; null without any. Looks through them all.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(mode(Sale.item)), answer(mode(Sale.item, where=lambda sale: not sale.refunded))
    ('tea', 'cake')
    """

    def most_frequent(window: Window[Any], values: Frequencies) -> Any:
        return next(iter(values.most(1)), None)

    source = comparable(of, "mode")
    meaning = "Most frequent {of} in the window{where}, of equally frequent ones the smaller; null without any."
    return made("mode", (Frequencies,), source, about, most_frequent, returns=or_null(source), meaning=meaning)


@overload
def top_k(of: Callable[[Any], V | None], k: int, **about: Unpack[About]) -> Aggregated[tuple[V, ...]]: ...
@overload
def top_k(of: V | None, k: int, **about: Unpack[About]) -> Aggregated[tuple[V, ...]]: ...
def top_k(of: Any, k: int, **about: Unpack[About]) -> Aggregated[Any]:
    """The most frequent values, up to `k`, of equally frequent ones the smaller first. Looks through them all.

    >>> from twinstream.declare.examples import Sale, answer
    >>> answer(top_k(Sale.item, 2))
    ('tea', 'cake')
    """
    check_number("top_k", k)

    def most_frequent(window: Window[Any], values: Frequencies) -> tuple[Any, ...]:
        return values.most(k)

    source = comparable(of, "top_k")
    meaning = f"The {k} most frequent {{of}} in the window{{where}}, of equally frequent ones the smaller first."
    return made("top_k", (Frequencies,), source, about, most_frequent, returns=several(source), meaning=meaning)
