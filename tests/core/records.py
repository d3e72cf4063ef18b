"""The smallest records of the reference groups, and what their decoders make of them."""

import json
from typing import Any

import pytest

from features.events import Click, Order, Transaction
from tests.reference import GROUPS
from twinstream.core.rejection import Rejected

TRANSACTION: dict[str, Any] = {
    "transaction_id": "t1",
    "event_time": "2026-03-02T12:00:00.250Z",
    "card_id": "card-1",
    "amount": 10.5,
    "currency": "EUR",
}
ORDER: dict[str, Any] = {
    "transaction_id": "o1",
    "user_id": "user-1",
    "timestamp": "2026-03-02T12:00:00Z",
    "price": 19.99,
    "quantity": 3,
    "currency": "USD",
}
CLICK: dict[str, Any] = {
    "event_id": "e1",
    "event_time": 1_772_452_800_000,
    "user_id": "user-1",
    "session_id": "s1",
    "event_type": "page_view",
}
WIRE_TYPES = {"transaction": Transaction, "order": Order, "clickstream": Click}
SMALLEST = {"transaction": TRANSACTION, "order": ORDER, "clickstream": CLICK}


class Raw(str):
    """A JSON literal to stand in a record as it is."""


def to_json(record: dict[str, Any]) -> bytes:
    members = (f"{json.dumps(name)}:{v if isinstance(v, Raw) else json.dumps(v)}" for name, v in record.items())
    return ("{" + ",".join(members) + "}").encode()


def decode(group: str, **fields: Any) -> tuple[str, Any]:
    """The smallest record of the group, with other or more fields, decoded."""
    return GROUPS[group].decode(to_json(SMALLEST[group] | fields), 7)


def fault(group: str, value: bytes | None) -> tuple[str, str]:
    """Reason and detail of the refusal."""
    with pytest.raises(Rejected) as caught:
        GROUPS[group].decode(value, 0)
    return caught.value.reason, caught.value.detail
