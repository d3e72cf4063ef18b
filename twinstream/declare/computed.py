"""A computed feature: a method of a group that makes a value of its other features."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from twinstream.core.feature_group import Value
from twinstream.core.validation import DefinitionError
from twinstream.declare.functions import type_hints

V = TypeVar("V", bound=Value)
V_co = TypeVar("V_co", bound=Value, covariant=True)


class Computed(Generic[V_co]):
    """What `feature` makes of a method: in other methods its value, as if it were an attribute.

    Raises:
        DefinitionError: the method does not say what it means.
    """

    def __init__(self, function: Callable[[Any], V_co], unit: str) -> None:
        self.function = function
        self.unit = unit
        self.meaning = " ".join((function.__doc__ or "").split())
        if not self.meaning:
            raise DefinitionError(
                f"The feature {function.__name__!r} does not say what it means. Give its method a docstring"
            )

    @property
    def returns(self) -> Any:
        """What the method says that it returns."""
        return type_hints(self.function).get("return")

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> V_co: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Self | V_co:
        """In a method of the group the value; of the class the feature itself."""
        return self if instance is None else self.function(instance)


def feature(*, unit: str = "") -> Callable[[Callable[[Any], V]], Computed[V]]:
    """Make a method of a group a feature of it: its name and return type are the feature's, its docstring the meaning.

    Args:
        unit: of the value, as the catalog shows it.
    """

    def register(function: Callable[[Any], V]) -> Computed[V]:
        return Computed(function, unit)

    return register
