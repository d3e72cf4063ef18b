"""The records as producers make them: plain dictionaries with the fields of `schema/*.yaml`, and their JSON bytes."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypedDict

import msgspec

from twinstream.errors import UserError

Record = dict[str, Any]
"""Any record: field name to a JSON value. The typed forms below are what the profiles make."""


class Transaction(TypedDict):
    """A card transaction: `schema/transaction_schema.yaml`."""

    transaction_id: str
    event_time: str
    card_id: str
    card_brand: str | None
    card_last4: str | None
    account_id: str | None
    user_id: str | None
    account_age_days: int | None
    amount: float
    currency: str
    merchant_id: str | None
    merchant_name: str | None
    mcc_code: int | None
    channel: str | None
    card_present: bool | None
    payment_method: str | None
    country: str | None
    city: str | None
    latitude: float | None
    longitude: float | None
    device_id: str | None
    ip_address: str | None
    auth_result: str | None
    label_fraud: bool | None


class Message(NamedTuple):
    """A record on its way into a sink: the partition key and the bytes; None is a Kafka null."""

    key: str | None
    value: bytes | None


encode = msgspec.json.Encoder().encode
"""A record as compact JSON bytes."""


@lru_cache(maxsize=4096)
def _second(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_utc(time_ms: int) -> str:
    """Epoch milliseconds as ISO-8601 UTC with milliseconds.

    >>> iso_utc(1_700_000_000_042)
    '2023-11-14T22:13:20.042Z'
    """
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def parse_ms(moment: str | int | datetime) -> int:
    """Epoch milliseconds of an ISO-8601 time (UTC where no zone is given), a datetime, or epoch milliseconds.

    >>> parse_ms("2023-11-14T22:13:20.042Z"), parse_ms("2023-11-14")
    (1700000000042, 1699920000000)

    Raises:
        UserError: the text is no time.
    """
    if isinstance(moment, int):
        return moment
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise UserError(f"{moment!r} is no time. Give one like 2026-03-01T12:00:00Z, or 2026-03-01.") from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return (parsed - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


_MILLISECOND = datetime(1970, 1, 1, 0, 0, 0, 1000) - datetime(1970, 1, 1)
