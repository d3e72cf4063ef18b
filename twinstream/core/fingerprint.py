"""A number that stands for how something is laid out in bytes, derived from the types that describe it.

Two types with the same number read each other's bytes alike; a field that is added, dropped, moved, renamed or given
another type changes it. So nobody has to remember to raise a version, and a change of one group's event leaves the
other groups' numbers as they are. What a field *means* is not in its type: who changes that renames the field, too.
"""

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import inspect


def fingerprint(*types: Any) -> int:
    """The number of these types and of all that they contain, from 0 to 2**32 - 1.

    >>> class Before(msgspec.Struct):
    ...     amount_minor: int
    >>> class After(msgspec.Struct):
    ...     amount_minor: int
    ...     currency: str
    >>> fingerprint(Before) == fingerprint(Before), fingerprint(Before) == fingerprint(After)
    (True, False)
    """
    shapes = [_shape(node, ()) for node in inspect.multi_type_info(types)]
    return int.from_bytes(sha256(msgspec.json.encode(shapes)).digest()[:4])


def _shape(node: Any, within: tuple[type, ...]) -> Any:
    """A type as plain lists; of a struct what is on the wire, but not the name of its class or module."""
    if isinstance(node, inspect.StructType):
        if node.cls in within:
            return ["itself", within.index(node.cls)]
        fields = [[field.encode_name, field.required, _shape(field.type, (*within, node.cls))] for field in node.fields]
        return ["struct", node.array_like, [node.tag_field, node.tag], fields]
    if isinstance(node, inspect.NamedTupleType):
        return ["named tuple", [[field.name, field.required, _shape(field.type, within)] for field in node.fields]]
    if isinstance(node, inspect.UnionType):
        return ["union", *sorted((_shape(each, within) for each in node.types), key=msgspec.json.encode)]
    if isinstance(node, inspect.EnumType):
        return ["enum", sorted(str(member.value) for member in node.cls)]
    if isinstance(node, inspect.Type):
        parts = [[name, _shape(getattr(node, name), within)] for name in node.__struct_fields__]
        return [type(node).__name__, *(part for part in parts if part[1] is not None)]
    if isinstance(node, tuple | list):
        return [_shape(each, within) for each in node]
    return node.__qualname__ if isinstance(node, type) else node
