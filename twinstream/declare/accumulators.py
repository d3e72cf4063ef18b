"""The accumulators of the vocabulary: each says how it starts, takes a value in, gives it back, and what it holds.

One of two methods, `add` and `remove`, does not care at which end of the window a value comes or goes. One of four
does: `append` and `pop` at the newer end, `appendleft` and `popleft` at the older. All hold integers and identifiers
only, so what is given back leaves no trace. None of them ever gets a null.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twinstream.core.aggregates import Maximum, Tally

T_contra = TypeVar("T_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class Unordered(Protocol[T_contra, A_co]):
    """An aggregate of one's own for which order does not matter: two methods and its value."""

    def add(self, value: T_contra, /) -> None:
        """Take a value in."""

    def remove(self, value: T_contra, /) -> None:
        """Give back a value taken in before."""

    @property
    def value(self) -> A_co:
        """What it answers now."""


class Ordered(Protocol[T_contra, A_co]):
    """An aggregate of one's own for which order matters: four methods and its value."""

    def append(self, value: T_contra, /) -> None:
        """Take a value in at the newer end."""

    def pop(self, value: T_contra, /) -> None:
        """Give the newest value back."""

    def appendleft(self, value: T_contra, /) -> None:
        """Take a value in at the older end."""

    def popleft(self, value: T_contra, /) -> None:
        """Give the oldest value back."""

    @property
    def value(self) -> A_co:
        """What it answers now."""


class Count:
    """How many there are.

    >>> count = Count()
    >>> count.add("a"); count.add("b"); count.remove("a"); count.value
    1
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, value: object, /) -> None:
        """One more."""
        self.value += 1

    def remove(self, value: object, /) -> None:
        """One less."""
        self.value -= 1


class Sum:
    """Their sum.

    >>> total = Sum()
    >>> total.add(3); total.add(5); total.remove(3); total.value
    5
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, value: int, /) -> None:
        """Add it."""
        self.value += value

    def remove(self, value: int, /) -> None:
        """Take it off."""
        self.value -= value


class Squares:
    """The sum of their squares.

    >>> squares = Squares()
    >>> squares.add(3); squares.add(5); squares.remove(3); squares.value
    25
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, value: int, /) -> None:
        """Add its square."""
        self.value += value * value

    def remove(self, value: int, /) -> None:
        """Take its square off."""
        self.value -= value * value


class Minimum:
    """The smallest of them: a heap, as `twinstream.Maximum` is; see there for its cost.

    >>> smallest = Minimum()
    >>> smallest.add(3); smallest.add(5); smallest.remove(3); smallest.value
    5
    """

    __slots__ = ("_negated",)

    def __init__(self) -> None:
        self._negated = Maximum()

    def add(self, value: int, /) -> None:
        """Take it in."""
        self._negated.add(-value)

    def remove(self, value: int, /) -> None:
        """Give it back."""
        self._negated.remove(-value)

    @property
    def value(self) -> int | None:
        """The smallest; None when there is none."""
        largest = self._negated.value
        return None if largest is None else -largest


class Frequencies(Tally):
    """How often each value is there; its length is the number of different ones.

    >>> countries = Frequencies()
    >>> countries.add("BR"); countries.add("US"); countries.add("US"); countries.remove("BR"); countries.most(2)
    ('US',)
    """

    __slots__ = ()

    def most(self, count: int) -> tuple[Any, ...]:
        """The most frequent values, of equally frequent ones the smaller first. Looks through all different values."""
        ranked = sorted(self.items(), key=lambda entry: (-entry[1], entry[0]))
        return tuple([value for value, _ in ranked[:count]])


class Sorted:
    """All of them in order of size. One costs a search, and a move of the larger ones in memory: 8 bytes for each.

    >>> values = Sorted()
    >>> values.add(5); values.add(3); values.add(9); values.remove(5); values.values
    [3, 9]
    """

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: list[int] = []

    def add(self, value: int, /) -> None:
        """Take it in."""
        insort(self.values, value)

    def remove(self, value: int, /) -> None:
        """Give it back."""
        del self.values[bisect_left(self.values, value)]


class Series:
    """All of them in the order of time.

    >>> addresses = Series()
    >>> addresses.append("b"); addresses.append("c"); addresses.appendleft("a"); addresses.pop("c"); addresses.values
    deque(['a', 'b'])
    """

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: deque[Any] = deque()

    def append(self, value: Any, /) -> None:
        """Take it in as the newest."""
        self.values.append(value)

    def pop(self, value: Any, /) -> None:
        """Give the newest back."""
        self.values.pop()

    def appendleft(self, value: Any, /) -> None:
        """Take it in as the oldest."""
        self.values.appendleft(value)

    def popleft(self, value: Any, /) -> None:
        """Give the oldest back."""
        self.values.popleft()


END_METHODS = {"append": "add", "appendleft": "add", "pop": "remove", "popleft": "remove"}
"""What happens at an end of the window, and the method that hears of it when order does not matter."""


def method(kind: type[Any], end: str) -> Callable[[Any, Any], None]:
    """The method of an accumulator, not bound to one, for what happens at an end of the window.

    Raises:
        AttributeError: it has neither four methods nor two.
    """
    found: Callable[[Any, Any], None] = getattr(kind, end if hasattr(kind, "append") else END_METHODS[end])
    return found


class ByCategory:
    """An accumulator for each category: it gets pairs of a category and a value. Empty ones are dropped."""

    __slots__ = ("_kind", "_sizes", "categories")

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._sizes = Tally()
        self.categories: dict[Any, Any] = {}

    def append(self, pair: tuple[Any, Any], /) -> None:
        """Take one in at the newer end."""
        self._take("append", *pair)

    def pop(self, pair: tuple[Any, Any], /) -> None:
        """Give the newest back."""
        self._give_back("pop", *pair)

    def appendleft(self, pair: tuple[Any, Any], /) -> None:
        """Take one in at the older end."""
        self._take("appendleft", *pair)

    def popleft(self, pair: tuple[Any, Any], /) -> None:
        """Give the oldest back."""
        self._give_back("popleft", *pair)

    def of(self, category: Any) -> Any:
        """The accumulator of a category; a new one when there is none."""
        found = self.categories.get(category)
        return self._kind() if found is None else found

    def _take(self, end: str, category: Any, value: Any) -> None:
        if category not in self.categories:
            self.categories[category] = self._kind()
        self._sizes.add(category)
        method(self._kind, end)(self.categories[category], value)

    def _give_back(self, end: str, category: Any, value: Any) -> None:
        method(self._kind, end)(self.categories[category], value)
        self._sizes.remove(category)
        if category not in self._sizes:
            del self.categories[category]
