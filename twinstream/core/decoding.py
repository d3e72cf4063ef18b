"""Bytes in, a checked wire record out; or `Rejected` with the path of the fault."""

import re
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from sys import intern
from typing import Any, Generic, TypeVar
from unicodedata import is_normalized

import msgspec

from twinstream.core.rejection import Rejected

MAX_NESTING = 64
"""Deepest nesting of arrays and objects accepted. A limit of our own, since the interpreter's depends on the caller."""

MAX_DETAIL = 300
"""Longest detail in characters. A decoder's message can quote the value, and the value can be a megabyte."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

MIN_TIME_MS = 946_684_800_000
"""2000-01-01T00:00:00Z. Epoch seconds taken for milliseconds are of 1970; so they are refused until the year 31 969."""

MAX_TIME_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last moment that ISO-8601 can write; epoch microseconds lie beyond it."""

_exactly = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[]).create_decimal
"""A JSON number as a decimal with all its digits. It never raises: what is out of bounds becomes infinity or zero."""

_is_json_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_BYTE = "(?:1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
_is_ip_address = re.compile(rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]{{1,44}}").fullmatch

_JSON_TYPES: dict[type, str] = {bool: "bool", type(None): "null", list: "array", dict: "object"}

W = TypeVar("W", bound=msgspec.Struct)


class Decoder(Generic[W]):
    """Decodes JSON records of one wire type."""

    def __init__(self, wire_type: type[W]) -> None:
        self._decode = msgspec.json.Decoder(wire_type, float_hook=_exactly).decode

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
        Rejected: `schema`, when it lies before 2000 or after 9999.
    """
    time_ms = (timestamp - _EPOCH) // _MS if isinstance(timestamp, datetime) else timestamp
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise Rejected("schema", f"Expected a time from 2000 to 9999 - at `$.{field}`")
    return time_ms


def check_amount(amount: Any, field: str) -> Decimal:
    """A wire amount with all its digits: a JSON number, or text that would be one without its quotes.

    Raises:
        Rejected: `schema` otherwise. Python reads more (`1_000`, ` 12 `, `+5`, digits of other scripts); another
            reader of the same log would not.
    """
    kind = type(amount)
    if kind is Decimal:
        return amount  # type: ignore[no-any-return]
    if kind is int:
        return Decimal(amount)
    if kind is not str:
        raise Rejected("schema", f"Expected `decimal`, got `{_JSON_TYPES[kind]}` - at `$.{field}`")
    if not _is_json_number(amount):
        raise Rejected("schema", f"Expected text to be written as a JSON number - at `$.{field}`")
    return _exactly(amount)


def check_id(text: str, field: str) -> str:
    """The identifier itself: printable characters, not only spaces, in Unicode's composed form (NFC).

    Raises:
        Rejected: `schema` otherwise. A control character in a key would garble logs, terminals and Redis listings; two
            forms of one accented letter look the same and would be two entities.
    """
    if text.isascii() and text.isprintable() and not text.isspace():
        return text
    if not text.isprintable():
        raise Rejected("schema", f"Expected printable characters only - at `$.{field}`")
    if text.isspace():
        raise Rejected("schema", f"Expected more than spaces - at `$.{field}`")
    if not is_normalized("NFC", text):
        raise Rejected("schema", f"Expected Unicode in its composed form (NFC) - at `$.{field}`")
    return text


def check_digits(text: str, field: str) -> None:
    """Check that a text is of the digits 0 to 9.

    Raises:
        Rejected: `schema` otherwise.
    """
    if not (text.isdecimal() and text.isascii()):
        raise Rejected("schema", f"Expected digits only - at `$.{field}`")


def check_ip_address(text: str, field: str) -> None:
    """Check that a text is written as an IPv4 or IPv6 address.

    Raises:
        Rejected: `schema` otherwise.
    """
    if not _is_ip_address(text):
        raise Rejected("schema", f"Expected an IP address - at `$.{field}`")


def check_code(code: str, field: str) -> str:
    """An ISO code itself, when it is of capital letters A to Z. All that are equal are one object.

    Raises:
        Rejected: `schema` otherwise.
    """
    if not (code.isalpha() and code.isupper() and code.isascii()):
        raise Rejected("schema", f"Expected an ISO code of capital letters - at `$.{field}`")
    return intern(code)


MICRODEGREES = 1_000_000
"""In a degree; one is about 0.1 m on the ground."""


def microdegrees(degrees: float) -> int:
    """Degrees as integer micro-degrees."""
    return round(degrees * MICRODEGREES)
