"""A cache in the order of use, which both runtimes keep states of entities in."""

from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(dict[K, V]):
    """A dictionary whose entries lie in the order of use, the one used longest ago first.

    A new entry counts as used. Who reads one says so with `touch`, and bounds the cache with `trim` at a moment that
    suits, so that reading costs no more than of any dictionary, and nothing goes while it is being worked on.

    >>> cache = LruCache({"a": 1, "b": 2, "c": 3})
    >>> cache.touch("a")
    >>> cache.trim(2)
    >>> cache
    {'c': 3, 'a': 1}
    """

    __slots__ = ()

    def touch(self, key: K) -> None:
        """Count an entry as just used.

        Raises:
            KeyError: there is none.
        """
        self[key] = self.pop(key)

    def trim(self, capacity: int) -> None:
        """Let go of the entries that were used longest ago, until there are no more than `capacity`."""
        for key in list(islice(self, max(0, len(self) - capacity))):  # at once: each look for the first takes longer
            del self[key]
