"""A table of choices with weights, to draw from."""

from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """A table of choices with weights, drawn from in the order of the table."""

    def __init__(self, table: tuple[tuple[T, float], ...]) -> None:
        self.choices = [choice for choice, _ in table]
        self.weights = [weight for _, weight in table]

    def draw(self, random: Random) -> T:
        """One of the choices."""
        return random.choices(self.choices, self.weights)[0]
