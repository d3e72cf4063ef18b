"""Moments as a person writes and reads them; inside they are epoch milliseconds UTC."""

from datetime import UTC, datetime, timedelta

from twinstream.core.fields import epoch_ms
from twinstream.core.rejection import Rejected
from twinstream.core.times import parse_time
from twinstream.errors import UserError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def parse_moment(text: str) -> int:
    """Epoch milliseconds of an ISO-8601 time with a zone, or of digits that are such milliseconds already.

    Text is read by the stream's own parser.

    >>> parse_moment("2026-03-01T12:00:00.250Z"), parse_moment("1772366400250")
    (1772366400250, 1772366400250)

    Raises:
        UserError: it is neither.
    """
    try:
        return epoch_ms(int(text), "time") if text.isascii() and text.isdigit() else parse_time(text)
    except (ValueError, Rejected):
        raise UserError(
            f"{text!r} is no time from 2000 to 9999. Give one like 2026-03-01T12:00:00Z, or epoch milliseconds."
        ) from None


def iso(moment_ms: int) -> str:
    """Epoch milliseconds as ISO-8601 in UTC; a number that no date can say, as the number.

    >>> iso(1772366400250), iso(2**62)
    ('2026-03-01T12:00:00.250Z', '4611686018427387904 ms')
    """
    try:
        return (_EPOCH + moment_ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{moment_ms} ms"


def parse_since(text: str, now_ms: int) -> int:
    """A moment, given as such or by how long ago it was.

    >>> parse_since("90s", 100_000), parse_since("2d", 172_800_001)
    (10000, 1)

    Raises:
        UserError: it is neither.
    """
    if text[:-1].isascii() and text[:-1].isdigit() and text[-1:] in _UNIT_MS:
        return max(0, now_ms - int(text[:-1]) * _UNIT_MS[text[-1]])
    return parse_moment(text)


_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
