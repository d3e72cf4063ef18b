"""From the bytes of a record to what is kept of it: decoded, checked, its functions asked once."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec.structs import force_setattr

from twinstream.core.decoding import Decoder
from twinstream.core.event import RetainedEvent
from twinstream.core.feature_group import Decode
from twinstream.core.fields import Checked
from twinstream.core.rejection import Rejected
from twinstream.core.validation import DefinitionError
from twinstream.declare.sources import Source, hints

MIN_INT, MAX_INT = -(2**63), 2**63 - 1
"""What every store of integers can hold; JSON has larger ones."""

Check = Callable[[Any], None]
"""Checks one field of a record, and puts in its place what it is to be."""


def decoding(
    event: type[msgspec.Struct],
    kept: type[RetainedEvent],
    entity: str,
    time: str,
    id: str,
    sources: Sequence[Source],
) -> Decode:
    """The function that decodes a group's records.

    Args:
        event: as it is on the wire.
        kept: its struct in state: time, offset, id, then the sources.
        entity, time, id: fields of the event.
        sources: what is kept beside them.

    Raises:
        DefinitionError: a field has a check where none is made.
    """
    decode_event = Decoder(event).decode
    checks = checks_of(event)
    entity_of, time_of, id_of = attrgetter(entity), attrgetter(time), attrgetter(id)
    reads = [reading(source) for source in sources]
    make: Callable[..., RetainedEvent] = kept

    def decode(value: bytes | None, offset: int) -> tuple[str, RetainedEvent]:
        record = decode_event(value)
        for check in checks:
            check(record)
        return entity_of(record), make(time_of(record), offset, id_of(record), *[read(record) for read in reads])

    return decode


def reading(source: Source) -> Callable[[Any], Any]:
    """A function that takes of a record what is kept.

    A whole number that no store could hold is refused as `schema`; what a function makes beyond that, or of another
    type than it says, is a fault of the function and so `internal`.
    """
    name, function, kinds, nullable = source.name, source.function, source.kinds, source.nullable
    if function is None:
        read = attrgetter(name)
        if not any(kind is int or get_origin(kind) is tuple for kind in kinds):
            return read

        def bounded(record: Any) -> Any:
            value = read(record)
            if not _can_be_stored(value):
                raise Rejected("schema", f"Expected `int` of at most 64 bits - at `$.{name}`")
            return value

        return bounded
    if source.condition:
        return lambda record: bool(function(record))
    allowed = {get_origin(kind) or kind for kind in kinds}
    kept_type, few = source.kept_type, {int, bool}.issuperset(kinds)

    def made(record: Any) -> Any:
        value = function(record)
        if type(value) not in allowed and not (value is None and nullable):
            raise TypeError(f"{function.__name__} returned {value!r}, which is not of the type that it says")
        if type(value) is int and not MIN_INT <= value <= MAX_INT:
            raise OverflowError(f"{function.__name__} returned an integer of more than 64 bits")
        # What is inside a tuple, and text that is none, would be found when the state is stored: too late.
        return value if few else _read_back(_store(value), type=kept_type)

    return made


def _can_be_stored(value: Any) -> bool:
    """Whether the integers that a value is or has inside are of at most 64 bits."""
    if type(value) is tuple:
        return all(map(_can_be_stored, value))
    return type(value) is not int or MIN_INT <= value <= MAX_INT


_store, _read_back = msgspec.msgpack.Encoder().encode, msgspec.msgpack.decode


def checks_of(record: type[msgspec.Struct], path: str = "", around: tuple[type[Any], ...] = ()) -> list[Check]:
    """The checks of a record's fields, in their order, those of records inside it included.

    Raises:
        DefinitionError: a field inside a list has a check, a field is called otherwise in the records, or a record has
            another one of its own kind inside.
    """
    if record in around:
        raise DefinitionError(
            f"{record.__name__} has a {record.__name__} inside, to any depth. Write out how deep it is"
        )
    around = (*around, record)
    if record.__struct_fields__ != record.__struct_encode_fields__:
        raise DefinitionError(f"{record.__name__} renames fields. Name them in the class as the records do")
    checks: list[Check] = []
    for name, hint in hints(record).items():
        if name not in record.__struct_fields__:
            continue
        alternatives = _alternatives(hint)
        for each in alternatives:
            if get_origin(each) is Annotated:
                extras = [extra for extra in each.__metadata__ if isinstance(extra, Checked)]
                nullable = NoneType in alternatives
                checks += [_checking(name, f"{path}{name}", extra.check, nullable) for extra in extras]
            elif isinstance(each, type) and issubclass(each, msgspec.Struct):
                inner = checks_of(each, f"{path}{name}.", around)
                if inner:
                    checks.append(_inside(name, each, inner))
            elif any(_has_checks(argument, around) for argument in get_args(each)):
                raise DefinitionError(
                    f"{record.__name__}.{name} is a list or the like of values with a check, which is made of single "
                    "fields only. Use a type without one, such as Text, and check it in a function"
                )
    return checks


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _has_checks(hint: Any, around: tuple[type[Any], ...]) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return bool(checks_of(hint, "", around))
    if get_origin(hint) is Annotated and any(isinstance(extra, Checked) for extra in hint.__metadata__):
        return True
    return any(_has_checks(argument, around) for argument in get_args(hint))


def _checking(name: str, path: str, check: Callable[[Any, str], Any], nullable: bool) -> Check:
    read = attrgetter(name)

    def checked(record: Any) -> None:
        given = read(record)
        if given is not None or not nullable:  # the decoder lets null through where the type is Any, as of an Amount
            value = check(given, path)
            if value is not given and value is not None:
                force_setattr(record, name, value)

    return checked


def _inside(name: str, kind: type[msgspec.Struct], checks: list[Check]) -> Check:
    read = attrgetter(name)

    def checked(record: Any) -> None:
        inner = read(record)
        if isinstance(inner, kind):  # and not null, nor another one of a tagged union
            for check in checks:
                check(inner)

    return checked
