"""Words that take an aggregate: one of the user's own, or any one for each category."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, Unpack

from twinstream.core.validation import DefinitionError
from twinstream.core.window import Window
from twinstream.declare.accumulators import END_METHODS, ByCategory, Ordered, Unordered
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.functions import type_hints
from twinstream.declare.sources import source_of
from twinstream.declare.words.common import About, comparable, held, made

T = TypeVar("T")
V = TypeVar("V")


def aggregate(
    kind: type[Unordered[T, V]] | type[Ordered[T, V]], of: T | Callable[[Any], T | None] | None, **about: Unpack[About]
) -> Aggregated[V]:
    """An aggregate of one's own: a class that starts without arguments and has a typed `value`.

    When order does not matter it has two methods, `add(value)` and `remove(value)`. When it does it has four: `append`
    and `pop` at the newer end of the window, `appendleft` and `popleft` at the older. What goes out has come in before,
    and is the newest or the oldest inside. It holds integers and identifiers only, so that adding and taking back
    leaves no trace. Its docstring is the feature's meaning, unless `meaning` is given.

    >>> from twinstream.declare.examples import Sale, answer
    >>> class Odd:
    ...     '''How many odd amounts there are.'''
    ...     value: int
    ...     def __init__(self) -> None:
    ...         self.value = 0
    ...     def add(self, cents: int) -> None:
    ...         self.value += cents % 2
    ...     def remove(self, cents: int) -> None:
    ...         self.value -= cents % 2
    >>> answer(aggregate(Odd, Sale.cents))
    1
    """
    methods = set(END_METHODS) if hasattr(kind, "append") else set(END_METHODS.values())
    missing = sorted(name for name in methods if not callable(getattr(kind, name, None)))
    if missing:
        raise DefinitionError(
            f"The aggregate {kind.__name__} lacks {', '.join(missing)}. It has add and remove, or else append, pop, "
            "appendleft and popleft"
        )
    meaning = " ".join((kind.__doc__ or "").split())
    if not meaning and "meaning" not in about:
        raise DefinitionError(f"The aggregate {kind.__name__} does not say what it means. Give it a docstring")
    return made("aggregate", (kind,), source_of(of, "aggregate"), about, held, returns=_type(kind), meaning=meaning)


def by(category: object, aggregated: Aggregated[V]) -> Aggregated[Mapping[Any, V]]:
    """What an aggregate answers for each category, as a mapping in the order of the categories.

    A mapping has no column: give it a name with an underscore in front, and read it in a method. Categories without an
    event in the window are not in it, so it is bounded as the events in the window are.

    >>> from twinstream.declare.examples import Sale, answer
    >>> from twinstream.declare.words import count, sum
    >>> answer(by(Sale.item, sum(Sale.cents)))
    {'cake': 450, 'jam': 999, 'tea': 600}
    """
    source = comparable(category, "by")
    if not aggregated.parts or any(part.by for part in aggregated.parts):
        raise DefinitionError(f"by was given {aggregated.word}, which is not kept by category")
    inner = aggregated.answer

    def answers(window: Window[Any], *groups: ByCategory) -> Mapping[Any, V]:
        categories = sorted(groups[0].categories)
        return {each: inner(window, *[group.of(each) for group in groups]) for each in categories}

    parts = tuple(replace(part, by=source) for part in aggregated.parts)
    meaning = f"By {source.text}: {aggregated.meaning}"
    return Aggregated("by", parts, answers, Mapping[Any, Any], aggregated.unit, meaning)


def _type(kind: type[Any]) -> Any:
    """The type of an aggregate's value: what the property returns, or the attribute is annotated with.

    Raises:
        DefinitionError: it does not say.
    """
    value = getattr(kind, "value", None)
    getter = value.fget if isinstance(value, property) else None
    found = type_hints(getter).get("return") if getter else type_hints(kind).get("value")
    if found is None:
        raise DefinitionError(
            f"The aggregate {kind.__name__} does not say what type its value has. Annotate it in the class, "
            "`value: int`, or make it a property with a return type"
        )
    return found
