"""What the features read of a record: one of its fields, or what a function makes of it. Each is kept in state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from types import FunctionType, MemberDescriptorType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from twinstream.core.fields import Checked
from twinstream.core.validation import DefinitionError
from twinstream.declare.functions import mark, shown, type_hints

SMALLER_UNIT = (
    "adding and taking back would drift. Give a function that makes an integer of it (minor units, micro-degrees, "
    "milliseconds)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that is read of a record, and kept of it in state.

    Attributes:
        name: of the field in the kept struct.
        event: the event whose field it is; None when a function makes it of whatever event there is.
        kinds: the types that it has when it is kept: of int, str, bool and tuples.
        nullable: whether it can be null.
        function: that makes it; None for a field.
        text: how it is called in the catalog.
        condition: whether only the truth of what the function returns is kept.
    """

    name: str
    event: type[Any] | None
    kinds: tuple[Any, ...]
    nullable: bool
    function: FunctionType | None = field(compare=False)  # its name has a mark of it, the same for equal functions
    text: str = field(compare=False)
    condition: bool = False

    @property
    def place(self) -> str:
        """A field with its event, for a reader."""
        return self.name if self.event is None else f"{self.event.__name__}.{self.name}"

    @property
    def kept_type(self) -> Any:
        """The type of its field in the kept struct."""
        return union(*self.kinds, None) if self.nullable else union(*self.kinds)


def source_of(given: Any, word: str) -> Source:
    """The field or the function that a word was given.

    Raises:
        DefinitionError: it is neither, or of a type that state does not keep.
    """
    if isinstance(given, MemberDescriptorType):
        return field_of(given.__objclass__, given.__name__)
    if not isinstance(given, FunctionType):
        raise DefinitionError(
            f"{word} was given {given!r}. It takes a field, such as Login.ip, or a function of the event. "
            "(Python's own function of this name is in the module builtins.)"
        )
    returned = type_hints(given, with_checks=True).get("return")
    if returned is None:
        raise DefinitionError(
            f"{word} was given the function {shown(given)}, which does not say what type it returns. Write a def with "
            "one: int, str, bool or a tuple of them, or one of these with `| None`"
        )
    kinds, nullable = _kept(returned, f"what {given.__name__} returns")
    return Source(f"{given.__name__}_{mark(given)}", None, kinds, nullable, given, shown(given))


def field_of(event: type[Any], name: str) -> Source:
    """A field of an event.

    Raises:
        DefinitionError: it is of a type that state does not keep.
    """
    return Source(name, event, *_kept(hints(event)[name], f"{event.__name__}.{name}"), None, name)


def condition_of(where: Callable[[Any], object] | None) -> Source | None:
    """A condition, of which a bit is kept; None for none.

    Raises:
        DefinitionError: it is no function.
    """
    if where is None:
        return None
    if not isinstance(where, FunctionType):
        raise DefinitionError(f"where={where!r} is no function. Write where=lambda event: …")
    return Source(f"where_{mark(where)}", None, (bool,), False, where, shown(where), condition=True)


def union(*kinds: Any) -> Any:
    """The type of what is of any of these.

    >>> union(int, str, None)
    int | str | None
    """
    return reduce(or_, kinds)


def hints(event: type[Any]) -> dict[str, Any]:
    """The types of an event's fields, their checks included."""
    return type_hints(event, with_checks=True)


def is_checked_by(hint: Any, *checks: Callable[..., Any]) -> bool:
    """Whether a field that cannot be null has one of these checks."""
    return get_origin(hint) is Annotated and any(
        isinstance(extra, Checked) and extra.check in checks for extra in hint.__metadata__
    )


def _kept(hint: Any, place: str) -> tuple[tuple[Any, ...], bool]:
    """The types that a value has when it is kept, and whether it can be null."""
    kinds = list(dict.fromkeys(_bare(hint, place)))
    nullable = NoneType in kinds
    return tuple(kind for kind in kinds if kind is not NoneType), nullable


def _bare(hint: Any, place: str) -> list[Any]:
    """The alternatives of a type, without limits, which may change while what is kept stays as it is."""
    if get_origin(hint) is Annotated:
        gives = next((extra.gives for extra in hint.__metadata__ if isinstance(extra, Checked) and extra.gives), None)
        return _bare(gives or get_args(hint)[0], place)
    if get_origin(hint) in (Union, UnionType):
        return [kind for each in get_args(hint) for kind in _bare(each, place)]
    if get_origin(hint) is Literal:
        return [type(each) for each in get_args(hint)]
    if get_origin(hint) is tuple:
        inner = [each if each is Ellipsis else union(*_bare(each, place)) for each in get_args(hint)]
        return [tuple[tuple(inner)]]  # type: ignore[misc]
    if hint in (int, str, bool, NoneType, None):
        return [NoneType if hint is None else hint]
    if hint in (float, Decimal, datetime):
        raise DefinitionError(f"{place} is a {hint.__name__.lower()}, and state has none: {SMALLER_UNIT}")
    raise DefinitionError(
        f"{place} is a {getattr(hint, '__name__', hint)}, which state does not keep: int, str, bool, None and tuples "
        "of them are what it has. Give a function that makes one of these of it"
    )
