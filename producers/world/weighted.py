"""A table of choices with weights, to draw from."""

from bisect import bisect
from collections.abc import Iterable
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """Choices with weights.

    >>> Weighted([("heads", 1), ("never", 0), ("tails", 1)]).draw(Random(1))
    'heads'
    """

    __slots__ = ("_cumulative", "_last", "_total", "choices")

    def __init__(self, table: Iterable[tuple[T, float]]) -> None:
        choices, weights = zip(*table, strict=True)
        self.choices: tuple[T, ...] = choices
        self._cumulative: list[float] = list(accumulate(weights))
        self._total = float(self._cumulative[-1])
        self._last = len(choices) - 1

    def draw(self, random: Random) -> T:
        """One of the choices."""
        return self.choices[bisect(self._cumulative, random.random() * self._total, 0, self._last)]
