"""What the words of the vocabulary have in common."""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

from twinstream.core.validation import DefinitionError
from twinstream.core.window import Window
from twinstream.declare.accumulators import Count, Sum
from twinstream.declare.aggregated import Aggregated, Part
from twinstream.declare.sources import Source, condition_of, source_of, union

V = TypeVar("V")


class About(TypedDict, total=False):
    """What every word takes.

    Attributes:
        where: only events that meet this condition; it is asked once of each, when the record is decoded.
        unit, meaning: what the catalog says instead of the word's own.
    """

    where: Callable[[Any], object]
    unit: str
    meaning: str


_TAKES = ", ".join(f"{name}=" for name in About.__annotations__)

Integers = int | None | Callable[[Any], int | None]
"""A field with integers, or a function of the event that returns them."""


def made(
    word: str,
    accumulators: tuple[type[Any], ...],
    of: Source | None,
    about: About,
    answer: Callable[..., V],
    **said: Any,
) -> Aggregated[V]:
    """The feature of a word.

    Args:
        word: its name.
        accumulators: that it needs, each of the same values.
        of: the values; None for the event times.
        about: what the user says about it.
        answer: of the window and the accumulators.
        said: `returns`, the type of the answer, and usual `unit` and `meaning`, where {of} and {where} are filled in;
            `timed`, whether the accumulators get the event times beside the values.

    Raises:
        DefinitionError: the user says something that no word takes.
    """
    unknown = about.keys() - About.__annotations__.keys()
    if unknown:
        raise DefinitionError(f"{word} was given {min(unknown)}=, which no word takes. There are: {_TAKES}")
    where = condition_of(about.get("where"))
    meaning: str = said["meaning"].replace("{of}", "" if of is None else of.text)
    return Aggregated(
        word,
        tuple(Part(kind, of, where, timed=said.get("timed", False)) for kind in accumulators),
        answer,
        said["returns"],
        about.get("unit", said.get("unit", "")),
        about.get("meaning", meaning.replace("{where}", "" if where is None else f" where {where.text}")),
    )


def held(window: Window[Any], accumulator: Any) -> Any:
    """What the accumulator has is the answer."""
    return accumulator.value


def ratio(window: Window[Any], total: Sum, events: Count) -> float | None:
    """A sum over how many there are."""
    return total.value / events.value if events.value else None


def integers(of: Integers, word: str) -> Source:
    """The integers that a word was given.

    Raises:
        DefinitionError: they are none.
    """
    source = source_of(of, word)
    if not {int, bool}.issuperset(source.kinds):
        raise DefinitionError(f"{word} takes integers, and {source.text} has {_named(source)}")
    return source


def comparable(of: object, word: str) -> Source:
    """The values that a word was given, which have an order.

    Raises:
        DefinitionError: they have none.
    """
    source = source_of(of, word)
    if len(source.kinds) != 1 or source.kinds[0] not in (int, str, bool):
        raise DefinitionError(f"{word} takes text or integers, and {source.text} has {_named(source)}")
    return source


def or_null(source: Source) -> Any:
    """The type of one of these values, which may not be there."""
    return union(*source.kinds, None)


def several(source: Source) -> Any:
    """The type of some of these values."""
    return tuple[union(*source.kinds), ...]  # type: ignore[misc]


def check_number(word: str, number: int) -> None:
    """Check that a word was given how many values it is to answer.

    Raises:
        DefinitionError: it was not.
    """
    if not isinstance(number, int) or number < 1:
        raise DefinitionError(f"{word} was given {number!r}. It takes how many values it is to answer: 1 or more")


def _named(source: Source) -> str:
    return " or ".join(getattr(kind, "__name__", str(kind)) for kind in source.kinds)
