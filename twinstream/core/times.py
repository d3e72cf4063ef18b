"""Times as text: one parser for records on the stream, files, and what a person types.

It is the decoder's own (msgspec, in C), so that the same text is the same millisecond everywhere. `docs/records.md`
lists the forms.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from twinstream.core.fields import epoch_ms
from twinstream.core.rejection import Rejected

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


def parse_time(text: str) -> int:
    """Epoch milliseconds of an ISO-8601 time with its zone.

    >>> parse_time("2026-03-01T12:00:00.250Z"), parse_time("2026-03-01 17:30:00.250+0530")
    (1772366400250, 1772366400250)

    Raises:
        ValueError: it is none, or lies before 2000 or after 9999.
    """
    try:
        return epoch_ms(msgspec.convert(text, _Moment), "time")
    except (msgspec.ValidationError, Rejected) as fault:
        raise ValueError(str(fault)) from None


def parse_times(texts: Sequence[str | None]) -> list[int | None]:
    """Epoch milliseconds of many times; None for those that are None, or no times.

    >>> parse_times(["2026-03-01T12:00:00Z", None, "noon"])
    [1772366400000, None, None]
    """
    try:
        moments = msgspec.convert(texts, list[_Moment | None])
        return [None if moment is None else epoch_ms(moment, "time") for moment in moments]
    except (msgspec.ValidationError, Rejected):
        return [_parse_or_none(text) for text in texts]


def _parse_or_none(text: str | None) -> int | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        return None
