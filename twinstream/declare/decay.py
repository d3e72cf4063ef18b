"""Sums in which a record counts half as much after every half-life, from integers only.

At the moment `now` a value x of time t counts x × 2^((t - now) / h). So the sum is Σ x × 2^(t / h), divided once by
2^(now / h). The weight 2^(t / h) is 2^(t // h), a shift, times 2^(r / h) of the rest r; that is taken as an integer
with 64 binary places, the product of a few from a table. State keeps Σ x × weight for each half-life in the window, in
integers: what is taken back leaves no trace, and every process has the same number. A weight differs from the real one
by less than a part in 10^17.
"""

import re
from decimal import Context
from functools import cache
from typing import ClassVar

from twinstream.core.validation import DefinitionError

PLACES = 64
UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_is_duration = re.compile(r"([1-9][0-9]*)([smhd])").fullmatch


def duration_ms(text: str) -> int:
    """A duration in ms.

    >>> duration_ms("30s"), duration_ms("10m"), duration_ms("7d")
    (30000, 600000, 604800000)

    Raises:
        DefinitionError: it is none.
    """
    found = _is_duration(text) if isinstance(text, str) else None
    if found is None:
        raise DefinitionError(f'{text!r} is no duration. Write a number and s, m, h or d, such as "10m"')
    return int(found[1]) * UNITS_MS[found[2]]


class Decaying:
    """Values by the half-life that they are in, each with the weight of its time in it; `decaying` makes the classes.

    >>> total = decaying(60_000)()
    >>> total.add((0, 5)); total.add((60_000, 3)); total.at(60_000), total.at(120_000)
    (5.5, 2.75)
    >>> total.remove((0, 5)); total.at(60_000)
    3.0
    """

    __slots__ = ("_sums",)

    half_life_ms: ClassVar[int]
    table: ClassVar[tuple[int, ...]]

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}

    def add(self, timed: tuple[int, int], /) -> None:
        """Take in a value of a time."""
        time_ms, value = timed
        self._change(time_ms, value)

    def remove(self, timed: tuple[int, int], /) -> None:
        """Give it back."""
        time_ms, value = timed
        self._change(time_ms, -value)

    def at(self, now_ms: int) -> float:
        """The sum at a moment that is not before any of the values. Adds up a number for each half-life."""
        if not self._sums:
            return 0.0
        oldest, (now, rest_ms) = min(self._sums), divmod(now_ms, self.half_life_ms)
        total = sum([value << (block - oldest) for block, value in self._sums.items()])
        return total / (self._weight(rest_ms) << (now - oldest))

    def _change(self, time_ms: int, value: int) -> None:
        block, rest_ms = divmod(time_ms, self.half_life_ms)
        changed = self._sums.get(block, 0) + value * self._weight(rest_ms)
        if changed:
            self._sums[block] = changed
        else:
            self._sums.pop(block, None)

    def _weight(self, rest_ms: int) -> int:
        """2^(rest / half-life), with PLACES binary places."""
        weight = 1 << PLACES
        for factor in self.table:
            if not rest_ms:
                break
            if rest_ms & 1:
                weight = weight * factor >> PLACES
            rest_ms >>= 1
        return weight


@cache
def decaying(half_life_ms: int) -> type[Decaying]:
    """The accumulator of a half-life, one class for each."""
    return type("Decaying", (Decaying,), {"__slots__": (), "half_life_ms": half_life_ms, "table": _table(half_life_ms)})


def _table(half_life_ms: int) -> tuple[int, ...]:
    """2^(2^k / half-life) for each bit k of a rest, with PLACES binary places."""
    exactly = Context(prec=50)
    return tuple(
        int(exactly.multiply(exactly.power(2, exactly.divide(1 << bit, half_life_ms)), 1 << PLACES))
        for bit in range(half_life_ms.bit_length())
    )
