"""The kinds of fields that records have: checks of what a type cannot say, and types for the decoder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from sys import intern
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import is_normalized

from msgspec import Meta

from twinstream.core.rejection import Rejected


@dataclass(frozen=True, slots=True)
class Checked:
    """Beside a field's type: what a record of a declared event has checked there, beyond what the type says.

    Attributes:
        check: gets the value and the name of its field; raises `Rejected`; gives the value to go on with, or None to
            leave it as it is.
        gives: the type of what it gives; None when that is the field's own.
    """

    check: Callable[[Any, str], Any]
    gives: type | None = None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

MIN_TIME_MS = 946_684_800_000
"""2000-01-01T00:00:00Z. Epoch seconds taken for milliseconds are of 1970; so they are refused until the year 31 969."""

MAX_TIME_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last moment that ISO-8601 can write; epoch microseconds lie beyond it."""

exactly = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[]).create_decimal
"""A JSON number as a decimal with all its digits. It never raises: what is out of bounds becomes infinity or zero."""

_is_json_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_BYTE = "(?:1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
_is_ip_address = re.compile(rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]{{1,44}}").fullmatch

_JSON_TYPES: dict[type, str] = {bool: "bool", type(None): "null", list: "array", dict: "object"}


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
    return exactly(amount)


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


Id = Annotated[str, Meta(min_length=1, max_length=128), Checked(check_id)]
"""Identifies an event, an entity or a session; `check_id` says more."""

Name = Annotated[str, Meta(max_length=128)]
"""Identifies something else that an event names."""

Text = Annotated[str, Meta(max_length=1024)]
FourDigits = Annotated[str, Meta(min_length=4, max_length=4), Checked(check_digits)]
CurrencyCode = Annotated[str, Meta(min_length=3, max_length=3), Checked(check_code)]
CountryCode = Annotated[str, Meta(min_length=2, max_length=2), Checked(check_code)]
IpAddress = Annotated[str, Meta(max_length=1024), Checked(check_ip_address)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
if TYPE_CHECKING:  # what it is once it is checked, or whatever the decoder made of it
    Timestamp = int | Any
    Amount = Decimal | Any
else:
    Timestamp = Annotated[int | Annotated[datetime, Meta(tz=True)], Checked(epoch_ms, int)]
    """Epoch milliseconds, or ISO-8601 with a zone."""

    Amount = Annotated[Any, Checked(check_amount, Decimal)]
    """What the JSON has, a number as int or Decimal; `check_amount` decides. (A field typed as Decimal takes any text
    that Python reads as a number, and no longer tells text from a number.)"""
