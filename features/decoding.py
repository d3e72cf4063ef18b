"""Bytes in, a checked wire record out; or `Rejected` with the path of the fault."""

from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Generic, TypeVar

import msgspec

from features.errors import Rejected

MAX_NESTING = 64
"""Deepest nesting of arrays and objects accepted. A limit of our own, since the interpreter's depends on the caller."""

MAX_DETAIL = 300
"""Longest detail in characters. A decoder's message can quote the value, and the value can be a megabyte."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_MAX_TIME_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last moment that ISO-8601 can write

W = TypeVar("W", bound=msgspec.Struct)


class Decoder(Generic[W]):
    """Decodes JSON records of one wire type."""

    def __init__(self, wire_type: type[W]) -> None:
        self._decode = msgspec.json.Decoder(wire_type).decode

    def decode(self, value: bytes | None) -> W:
        """The record.

        Raises:
            Rejected: `malformed` when it is no JSON text at all, `schema` when a field is missing or wrong.
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
            raise Rejected("schema", _clip(str(fault))) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise Rejected("malformed", _clip(str(fault))) from None


def _clip(detail: str) -> str:
    """The detail, its middle left out when it is too long: the path of the fault stands at the end."""
    half = MAX_DETAIL // 2
    return detail if len(detail) <= MAX_DETAIL else f"{detail[:half]}…{detail[-half:]}"


def _too_deep(value: bytes) -> bool:
    """Whether arrays and objects are nested deeper than MAX_NESTING, brackets inside strings left out."""
    if value.count(b"{") + value.count(b"[") <= MAX_NESTING:
        return False
    depth = 0
    in_string = escaped = False
    for byte in value:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            if depth > MAX_NESTING:
                return True
        elif byte in b"}]":
            depth -= 1
    return False


def epoch_ms(timestamp: int | datetime, field: str) -> int:
    """A wire timestamp as epoch milliseconds UTC; what is below a millisecond is cut off.

    Raises:
        Rejected: `schema`, when it lies before 1970 or after 9999.
    """
    time_ms = (timestamp - _EPOCH) // _MS if isinstance(timestamp, datetime) else timestamp
    if not 0 <= time_ms <= _MAX_TIME_MS:
        raise Rejected("schema", f"Expected a time from 1970 to 9999 - at `$.{field}`")
    return time_ms


def check_id(text: str, field: str) -> str:
    """The identifier itself, when every character is printable.

    Raises:
        Rejected: `schema` otherwise: a control character in a key would garble logs, terminals and Redis listings.
    """
    if not text.isprintable():
        raise Rejected("schema", f"Expected printable characters only - at `$.{field}`")
    return text


def check_code(code: str, field: str) -> str:
    """An ISO code itself, when it is of capital letters A to Z. All that are equal are one object.

    Raises:
        Rejected: `schema` otherwise.
    """
    if not (code.isalpha() and code.isupper() and code.isascii()):
        raise Rejected("schema", f"Expected an ISO code of capital letters - at `$.{field}`")
    return intern(code)


def microdegrees(degrees: float) -> int:
    """Degrees as integer micro-degrees (about 0.1 m on the ground)."""
    return round(degrees * 1_000_000)
