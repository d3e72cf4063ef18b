"""Cutting a stream into pieces that fit somewhere."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def cut(
    items: Iterable[T], size: Callable[[T], int], most_bytes: int, most_items: int = sys.maxsize
) -> Iterator[list[T]]:
    """The items in lists, of which each ends with the item that brings it to so many bytes, or to so many items.

    >>> list(cut(["a", "bcd", "e", "f", "g"], len, most_bytes=3, most_items=2))
    [['a', 'bcd'], ['e', 'f'], ['g']]
    """
    together: list[T] = []
    total = 0
    for item in items:
        together.append(item)
        total += size(item)
        if total >= most_bytes or len(together) >= most_items:
            yield together
            together, total = [], 0
    if together:
        yield together
