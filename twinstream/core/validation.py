"""What is wrong with a definition of features, found when it is made and not when its first record comes."""

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import inspect

FORMS = "int, float, bool, str or tuple[str, ...], each also with `| None`"
"""The types that a feature can have."""

_TYPE_NAMES: dict[Any, str] = {int: "int", float: "float", bool: "bool", str: "text", tuple: "names"}

RESERVED = frozenset(
    {"entity", "event_id", "event_time", "topic", "partition", "offset", "timestamp", "version", "group", "features"}
)
"""Names that stand beside the features: in a Redis hash, a feature-log record or a Parquet file."""


class DefinitionError(Exception):
    """A definition that cannot be computed; the text says what is wrong and what to do."""


def check_fields(group: str, wire_type: type[msgspec.Struct], **fields: str) -> None:
    """Check that a record has the fields that a group names.

    Args:
        group: its name.
        wire_type: the record.
        fields: what each is to be, and the field's name.

    Raises:
        DefinitionError: the record is no struct, or lacks a field.
    """
    _check_struct(group, "record", wire_type)
    known = wire_type.__struct_fields__
    for role, name in fields.items():
        if name not in known:
            raise DefinitionError(
                f"The group {group!r} takes its {role} from the field {name!r}, which {wire_type.__name__} does not "
                f"have. It has: {', '.join(known)}"
            )


def check_event(group: str, event_type: type[Any]) -> None:
    """Check that an event can be kept in state: a struct with time, offset and id, of integers and identifiers.

    Raises:
        DefinitionError: it cannot.
    """
    _check_struct(group, "event", event_type)
    name = event_type.__name__
    described = inspect.type_info(event_type)
    assert isinstance(described, inspect.StructType)
    missing = {"time_ms", "offset", "id"} - set(event_type.__struct_fields__)
    if missing:
        raise DefinitionError(
            f"The event type {name} of the group {group!r} lacks {', '.join(sorted(missing))}: every event "
            "that is kept has time_ms, offset and id"
        )
    if not described.array_like:
        raise DefinitionError(
            f"The event type {name} of the group {group!r} is kept by position: give its class array_like=True"
        )
    for field in described.fields:
        _check_kept(f"{name}.{field.name}", field.type)


def _check_struct(group: str, role: str, given: Any) -> None:
    if not (isinstance(given, type) and issubclass(given, msgspec.Struct)):
        raise DefinitionError(f"The {role} type {_shown(given)} of the group {group!r} is no msgspec.Struct")


def _check_kept(place: str, kind: inspect.Type) -> None:
    if isinstance(kind, inspect.FloatType):
        raise DefinitionError(
            f"{place} is a float, and state has none: adding and taking back would drift. Keep an integer of a smaller "
            "unit (minor units, micro-degrees, milliseconds)"
        )
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            _check_kept(place, each)
    elif isinstance(kind, inspect.TupleType):
        for each in kind.item_types:
            _check_kept(place, each)
    elif isinstance(kind, inspect.VarTupleType):
        _check_kept(place, kind.item_type)
    elif isinstance(kind, inspect.NamedTupleType):
        for field in kind.fields:
            _check_kept(f"{place}.{field.name}", field.type)
    elif not isinstance(
        kind, (inspect.IntType, inspect.StrType, inspect.BoolType, inspect.NoneType, inspect.LiteralType)
    ):
        raise DefinitionError(
            f"{place} is a {type(kind).__name__.removesuffix('Type').lower()}, which state does not keep: int, str, "
            "bool, None and tuples of them are what it has"
        )


def check_names(group: str, names: list[str]) -> None:
    """Check the names of a group's features.

    Raises:
        DefinitionError: one is there twice, or stands for something else.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DefinitionError(f"The group {group!r} has two features named {name!r}. Rename one of them")
        if name in RESERVED or name.startswith("_"):
            raise DefinitionError(f"The feature {name!r} of the group {group!r} has a name that is taken. Rename it")
        seen.add(name)


def value_type(feature: str, annotation: Any) -> tuple[str, bool]:
    """The catalog's name of a feature's return type, and whether it allows None.

    Raises:
        DefinitionError: it is none that can be stored.
    """
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [member for member in members if member is not NoneType]
    if len(kinds) == 1:
        kind = kinds[0]
        if kind in _TYPE_NAMES:
            return _TYPE_NAMES[kind], NoneType in members
        if getattr(kind, "__origin__", None) is tuple and get_args(kind) == (str, ...):
            return _TYPE_NAMES[tuple], NoneType in members
    raise DefinitionError(f"The feature {feature!r} returns {_shown(annotation)}, which has no column: {FORMS}")


def _shown(annotation: Any) -> str:
    return "nothing" if annotation is None else getattr(annotation, "__name__", str(annotation))
