"""Small aggregates that can take back what they were given: the bricks of the features.

All of them hold integers or identifiers only, so adding and taking back leaves no trace.
"""

from collections import Counter
from heapq import heapify, heappop, heappush

FEW = 16
"""So many values are quickly looked through."""


class Tally(dict[str, int]):
    """How often each value occurs among those given, so its length is the number of different ones. None is no value.

    >>> tally = Tally()
    >>> for country in ("BR", "US", "BR", None): tally.add(country)
    >>> tally.remove("US"); tally
    {'BR': 2}
    """

    __slots__ = ()

    def add(self, value: str | None) -> None:
        """Count one more of the value."""
        if value is not None:
            self[value] = self.get(value, 0) + 1

    def remove(self, value: str | None) -> None:
        """Count one less of a value given before."""
        if value is not None:
            left = self[value] - 1
            if left:
                self[value] = left
            else:
                del self[value]


class Maximum:
    """The largest of the integers given and not yet taken back.

    A heap; among few values, one is taken back by looking for it. With more there is a second heap of what was taken
    back, and the two cancel out when they meet at the top. When most of the first is cancelled it is made anew, so
    memory stays within twice what is inside and a step costs a heap operation of C code, whichever end of the window a
    value leaves by.

    >>> largest = Maximum()
    >>> for value in (3, 9, 5): largest.add(value)
    >>> largest.remove(9); largest.value
    5
    """

    __slots__ = ("_given", "_taken")

    def __init__(self) -> None:
        self._given: list[int] = []  # negated: heapq keeps the smallest on top
        self._taken: list[int] | None = None

    def add(self, value: int) -> None:
        """Take a value in."""
        heappush(self._given, -value)

    def remove(self, value: int) -> None:
        """Take back a value given before."""
        given, taken = self._given, self._taken
        if taken is None:
            if len(given) <= FEW:
                given.remove(-value)
                heapify(given)
                return
            self._taken = taken = []
        heappush(taken, -value)
        while taken and taken[0] == given[0]:
            heappop(taken)
            heappop(given)
        if len(taken) > FEW and 2 * len(taken) > len(given):
            self._given = sorted((Counter(given) - Counter(taken)).elements())
            self._taken = None

    @property
    def value(self) -> int | None:
        """The largest value; None when there is none."""
        return -self._given[0] if self._given else None


class Money:
    """Count, sum, sum of squares and maximum of amounts in one currency, in minor units.

    Attributes:
        minor_per_major: of the currency.
    """

    __slots__ = ("count", "largest", "minor_per_major", "squares", "total")

    def __init__(self, minor_per_major: int = 1) -> None:
        self.minor_per_major = minor_per_major
        self.count = 0
        self.total = 0
        self.squares = 0
        self.largest = Maximum()

    def add(self, amount_minor: int) -> None:
        """Take an amount in."""
        self.count += 1
        self.total += amount_minor
        self.squares += amount_minor * amount_minor
        self.largest.add(amount_minor)

    def remove(self, amount_minor: int) -> None:
        """Take back an amount given before."""
        self.count -= 1
        self.total -= amount_minor
        self.squares -= amount_minor * amount_minor
        self.largest.remove(amount_minor)
