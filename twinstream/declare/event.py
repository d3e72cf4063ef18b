"""The record of a topic, as a class of the user's: its fields are the JSON's, and name themselves in declarations."""

from typing import TYPE_CHECKING, Any, dataclass_transform

import msgspec

from twinstream.core.validation import DefinitionError


class UnknownField(DefinitionError, AttributeError):
    """A declaration names a field that its event does not have."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class _EventType(msgspec.StructMeta):
    # Not for mypy, which would then take any name for a field's.
    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
            raise UnknownField(f"{cls.__name__} has no field {name!r}. It has: {', '.join(cls.__struct_fields__)}")


class Event(msgspec.Struct, metaclass=_EventType, frozen=True, gc=False):
    """A record of a topic; subclass it with the fields that the JSON has. Fields that it does not list are ignored.

    A field's type says what is accepted: `Id`, `Timestamp`, `Text`, `Amount`, … of `twinstream`, any type that msgspec
    decodes, and `Annotated` ones with limits. What is not accepted becomes a dead letter, reason `schema`.

    >>> from twinstream import Id, Text, Timestamp
    >>> class Login(Event):
    ...     login_id: Id
    ...     at: Timestamp
    ...     account_id: Id
    ...     ip: Text | None = None
    >>> Login.ip.__name__
    'ip'
    >>> Login.ipp
    Traceback (most recent call last):
    twinstream.declare.event.UnknownField: Login has no field 'ipp'. It has: login_id, at, account_id, ip
    """
