"""Bytes in, a checked wire record out; or `Rejected` with the path of the fault."""

import re
from typing import Generic, TypeVar

import msgspec

from twinstream.core.fields import exactly
from twinstream.core.rejection import Rejected

MAX_NESTING = 64
"""Deepest nesting of arrays and objects accepted. A limit of our own, since the interpreter's depends on the caller."""

MAX_DETAIL = 300
"""Longest detail in characters. A decoder's message can quote the value, and the value can be a megabyte."""

W = TypeVar("W", bound=msgspec.Struct)


class Decoder(Generic[W]):
    """Decodes JSON records of one wire type."""

    def __init__(self, wire_type: type[W]) -> None:
        self._decode = msgspec.json.Decoder(wire_type, float_hook=exactly).decode

    def decode(self, value: bytes | None) -> W:
        """The record.

        Raises:
            Rejected: `malformed` when it is no JSON text from beginning to end, `schema` when it is one, but a field is
                missing or wrong.
        """
        if not value:
            raise Rejected("malformed", "empty value" if value is not None else "null value")
        if (b"[" in value or value.find(b"{", 1) > 0) and _too_deep(value):
            raise Rejected("malformed", f"nested deeper than {MAX_NESTING} levels")
        try:
            if not value.isascii():
                value.decode()  # fields that nothing reads are skipped by the JSON decoder, wrong UTF-8 and all
            return self._decode(value)
        except msgspec.ValidationError as fault:
            _check_json(value)
            raise Rejected("schema", _clip(str(fault))) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise Rejected("malformed", _clip(str(fault))) from None


def _check_json(value: bytes) -> None:
    """Read on to the end: the decoder stops at the first wrong field, and what follows may be no JSON.

    Raises:
        Rejected: `malformed`, if so.
    """
    try:
        _skip(value)
    except msgspec.DecodeError as fault:
        raise Rejected("malformed", _clip(str(fault))) from None


_skip = msgspec.json.Decoder(msgspec.Raw).decode


def _clip(detail: str) -> str:
    """The detail, its middle left out when it is too long: the path of the fault stands at the end."""
    half = MAX_DETAIL // 2
    return detail if len(detail) <= MAX_DETAIL else f"{detail[:half]}…{detail[-half:]}"


_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""Every JSON string, also one that does not end."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def _too_deep(value: bytes) -> bool:
    """Whether arrays and objects are nested deeper than MAX_NESTING, brackets inside strings left out."""
    if value.count(b"{") + value.count(b"[") <= MAX_NESTING:
        return False
    without_strings = _STRINGS.sub(b"", value) if b"\\" in value else b"".join(value.split(b'"')[::2])
    depth = 0
    for bracket in without_strings.translate(None, _NO_BRACKETS):
        if bracket in b"{[":
            depth += 1
            if depth > MAX_NESTING:
                return True
        else:
            depth -= 1
    return False
