"""Rows of two sides, paired by where they come from: what is missing, extra or different.

Both sides can be fed in turn, so that only rows whose pair has not come yet are in memory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from twinstream.log.rows import UNDECODABLE, short

SHOWN = 5
"""Differences shown of each kind."""

Rows = Iterable[tuple[str, bytes]]
"""Where each row comes from, and its bytes."""


@dataclass(slots=True)
class Comparison:
    """Two runs' rows of one kind.

    Attributes:
        name: the kind.
        left, right: rows on each side.
        compared: rows that have a pair.
        missing: left without a pair.
        extra: right without a pair, or there more often than left.
        different: pairs with other bytes.
        shown: the first differences, in words.
    """

    name: str
    left: int = 0
    right: int = 0
    compared: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    shown: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different)


class Pairs:
    """Pairs the rows of two sides as they come.

    Args:
        name: of what is compared.
        several: a record may have several rows, which come in any order, and any of them again. Then equal ones are
            pairs and one that comes again counts once; those without an equal one are compared when both sides have
            ended. What tells a row that comes again, a number of each pair, stays in memory.
    """

    def __init__(self, name: str, several: bool = False) -> None:
        self._result = Comparison(name)
        self._several = several
        self._left: dict[str, list[bytes]] = {}
        self._right: dict[str, list[bytes]] = {}
        self._paired: set[int] = set()

    def add_left(self, origin: str, value: bytes) -> None:
        """Take a row of the left side."""
        if self._several and self._comes_again(self._left, origin, value):
            return
        self._result.left += 1
        other = self._take(self._right, origin, value)
        if other is None:
            self._left.setdefault(origin, []).append(value)
        else:
            self._compare(origin, value, other)

    def add_right(self, origin: str, value: bytes) -> None:
        """Take a row of the right side."""
        if self._several and self._comes_again(self._right, origin, value):
            return
        self._result.right += 1
        other = self._take(self._left, origin, value)
        if other is None:
            self._right.setdefault(origin, []).append(value)
        else:
            self._compare(origin, other, value)

    def result(self) -> Comparison:
        """The comparison, once both sides have ended."""
        result = self._result
        for origin, values in self._left.items():
            others = self._right.get(origin, [])
            while values and others:
                self._compare(origin, values.pop(0), others.pop(0))
        for origin, values in self._left.items():
            result.missing += len(values)
            for value in values:
                _show(result, f"{origin}: only on the left: {short(value)}")
        for origin, values in self._right.items():
            result.extra += len(values)
            for value in values:
                _show(result, f"{origin}: only on the right: {short(value)}")
        self._left, self._right = {}, {}
        return result

    def _take(self, waiting: dict[str, list[bytes]], origin: str, value: bytes) -> bytes | None:
        """Remove and return the row that waits for this one: where a record has one, whatever it is."""
        values = waiting.get(origin)
        if values is None or (self._several and value not in values):
            return None
        found = values.pop(values.index(value) if self._several else 0)
        if not values:
            del waiting[origin]
        if self._several:
            self._paired.add(hash(value))
        return found

    def _comes_again(self, waiting: Mapping[str, list[bytes]], origin: str, value: bytes) -> bool:
        """Whether its side has had this row."""
        return hash(value) in self._paired or value in waiting.get(origin, ())

    def _compare(self, origin: str, left: bytes, right: bytes) -> None:
        self._result.compared += 1
        if left != right:
            self._result.different += 1
            _show(self._result, f"{origin}: {_difference(left, right)}")


def compare(name: str, left: Rows, right: Rows, several: bool = False) -> Comparison:
    """Pair the rows of two sides, one after the other; `several` as of `Pairs`.

    >>> compare("log", [("t-0@1", b"a"), ("t-0@2", b"b")], [("t-0@1", b"a"), ("t-0@2", b"c")]).different
    1
    """
    pairs = Pairs(name, several)
    for origin, value in left:
        pairs.add_left(origin, value)
    for origin, value in right:
        pairs.add_right(origin, value)
    return pairs.result()


def _show(result: Comparison, line: str) -> None:
    if len(result.shown) < SHOWN:
        result.shown.append(line)


def _difference(left: bytes, right: bytes) -> str:
    """The fields in which two rows differ, or where their bytes part."""
    try:
        one, other = _flat(msgspec.json.decode(left)), _flat(msgspec.json.decode(right))
    except (*UNDECODABLE, AttributeError):
        one, other = {}, {}
    fields = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
    if not fields:
        pairs = enumerate(zip(left, right, strict=False))
        at = next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))
        return f"bytes differ at {at}: {short(left[at : at + 40])} / {short(right[at : at + 40])}"
    return ", ".join(f"{name} {one.get(name)!r} / {other.get(name)!r}" for name in sorted(fields)[:SHOWN])


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """A feature record with its features beside its other fields."""
    features = record.get("features")
    rest = {name: value for name, value in record.items() if name != "features"}
    return rest | features if isinstance(features, dict) else record
