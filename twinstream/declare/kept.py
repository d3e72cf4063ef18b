"""The window of a declared group: the accumulators of its features, kept up to date as events come in and go out."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from twinstream.core.window import Window
from twinstream.declare.accumulators import END_METHODS, ByCategory, method
from twinstream.declare.aggregated import Aggregated, Part

Step = tuple[int, Callable[[Any], bool] | None, Callable[[Any], Any], Callable[[Any, Any], None]]
"""For one accumulator at one end of the window: its place, which events it gets, what of them, and its method."""


class Plan:
    """How the events of a group's window reach its accumulators: the same for all windows.

    Args:
        parts: the accumulators, each once.
        name_of: the field of the kept event that has a source's value.
    """

    def __init__(self, parts: Sequence[Part], name_of: Callable[[Any], str]) -> None:
        self.parts = tuple(parts)
        self.steps: dict[str, tuple[Step, ...]] = {
            end: tuple(_step(at, part, end, name_of) for at, part in enumerate(parts)) for end in END_METHODS
        }

    def accumulators(self) -> list[Any]:
        """New accumulators, in the order of `parts`."""
        return [part.kind() if part.by is None else ByCategory(part.kind) for part in self.parts]


class Feeding:
    """Passes a window's events on to its accumulators."""

    __slots__ = ("_accumulators", "_append", "_appendleft", "_pop", "_popleft")

    def __init__(self, plan: Plan, accumulators: list[Any]) -> None:
        self._accumulators = accumulators
        self._append = plan.steps["append"]
        self._pop = plan.steps["pop"]
        self._appendleft = plan.steps["appendleft"]
        self._popleft = plan.steps["popleft"]

    def append(self, event: Any) -> None:
        """An event came in at the newer end."""
        self._pass_on(event, self._append)

    def pop(self, event: Any) -> None:
        """An event went out at the newer end."""
        self._pass_on(event, self._pop)

    def appendleft(self, event: Any) -> None:
        """An event came in at the older end."""
        self._pass_on(event, self._appendleft)

    def popleft(self, event: Any) -> None:
        """An event went out at the older end."""
        self._pass_on(event, self._popleft)

    def _pass_on(self, event: Any, steps: tuple[Step, ...]) -> None:
        accumulators = self._accumulators
        for at, passes, read, hear in steps:
            if passes is None or passes(event):
                value = read(event)
                if value is not None:
                    hear(accumulators[at], value)


class DeclaredWindow(Window[Any]):
    """A window with the accumulators of a declared group.

    Attributes:
        accumulators: in the order of the plan's parts.
    """

    __slots__ = ("accumulators",)

    def __init__(self, plan: Plan, size_ms: int) -> None:
        self.accumulators = plan.accumulators()
        super().__init__(size_ms, (Feeding(plan, self.accumulators),))


def answering(aggregated: Aggregated[Any], places: Sequence[int]) -> Callable[[DeclaredWindow], Any]:
    """A feature as a function of the window.

    Args:
        aggregated: the feature.
        places: of its parts' accumulators.
    """
    answer = aggregated.answer
    if len(places) == 1:  # as most have
        (at,) = places
        return lambda window: answer(window, window.accumulators[at])
    return lambda window: answer(window, *[window.accumulators[at] for at in places])


def _step(at: int, part: Part, end: str, name_of: Callable[[Any], str]) -> Step:
    passes = None if part.where is None else attrgetter(name_of(part.where))
    read: Callable[[Any], Any] = attrgetter("time_ms" if part.of is None else name_of(part.of))
    if part.timed:
        read = _pair(attrgetter("time_ms"), _one if part.of is None else read)
    if part.by is None:
        return at, passes, read, method(part.kind, end)
    return at, passes, _pair(attrgetter(name_of(part.by)), read), getattr(ByCategory, end)


def _pair(first_of: Callable[[Any], Any], second_of: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any] | None]:
    """Two values of an event; None when either is null."""

    def pair(event: Any) -> tuple[Any, Any] | None:
        first, second = first_of(event), second_of(event)
        return None if first is None or second is None else (first, second)

    return pair


def _one(event: Any) -> int:
    return 1
