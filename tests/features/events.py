"""Small builders of state events, and a way to read vectors as dictionaries."""

from typing import Any

import msgspec

from features.events import Action, Payment

MIDDAY_MS = 1_772_452_800_000  # 2026-03-02T12:00:00Z
WINDOW_MS = 300_000
LATENESS_MS = 30_000


def payment(time_ms: int = MIDDAY_MS, offset: int = 0, **fields: Any) -> Payment:
    """A payment of 10 EUR, unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": f"t{offset}",
        "amount_minor": 1_000,
        "currency": "EUR",
        "declined": False,
        "merchant": None,
        "country": None,
        "device": None,
        "place": None,
    }
    return Payment(time_ms=time_ms, offset=offset, **(defaults | fields))


def action(time_ms: int = MIDDAY_MS, offset: int = 0, **fields: Any) -> Action:
    """A page view, unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": f"e{offset}",
        "session": "s1",
        "type": "page_view",
        "page": None,
        "product": None,
        "dwell_ms": 0,
    }
    return Action(time_ms=time_ms, offset=offset, **(defaults | fields))


def as_dict(vector: msgspec.Struct) -> dict[str, Any]:
    """A vector's features by name."""
    return msgspec.structs.asdict(vector)
