"""An aggregated feature: a class attribute of a group that is an accumulator's answer in the group's methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from twinstream.declare.sources import Source

if TYPE_CHECKING:
    from twinstream.declare.group import FeatureGroup

V_co = TypeVar("V_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Part:
    """An accumulator that a feature needs. Features with an equal one share it.

    Attributes:
        kind: its class.
        of: what of every event it gets; None for the event time. It gets no nulls.
        where: only of the events that meet this; None for all.
        by: one for each value of this; None for one.
        timed: whether it gets pairs, of the event time and the value; without `of` the value is 1.
    """

    kind: type[Any]
    of: Source | None = None
    where: Source | None = None
    by: Source | None = None
    timed: bool = False

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it reads of an event."""
        return tuple(source for source in (self.of, self.where, self.by) if source is not None)


class Aggregated(Generic[V_co]):
    """A feature that accumulators answer; made by the words `count`, `sum`, `last`, …

    Args:
        word: that made it.
        parts: its accumulators.
        answer: of the window and the accumulators, in the order of `parts`.
        returns: the type of the answer.
        unit, meaning: as in the catalog.
    """

    def __init__(
        self,
        word: str,
        parts: tuple[Part, ...],
        answer: Callable[..., V_co],
        returns: Any,
        unit: str,
        meaning: str,
    ) -> None:
        self.word = word
        self.parts = parts
        self.answer = answer
        self.returns = returns
        self.unit = unit
        self.meaning = " ".join(meaning.split())

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> V_co: ...
    def __get__(self, instance: "FeatureGroup | None", owner: type[Any]) -> Self | V_co:  # type: ignore[misc]
        """In a method of the group the answer; of the class the feature itself."""
        if instance is None:
            return self
        return instance._answers[self](instance.window)  # type: ignore[no-any-return]
