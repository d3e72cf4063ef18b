"""From a record's JSON to the event in state, again by the words of docs/features.md alone."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import asdict

from producers.profiles import PROFILES, make_profile
from producers.records import encode
from tests.oracle.documented import MICRODEGREES, minor_per_major
from tests.reference import BY_TOPIC

START_MS = 1_772_452_800_000


def event_of(topic: str, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Entity and event, without the offset."""
    time_field, id_field = {
        "transactions": ("event_time", "transaction_id"),
        "orders": ("timestamp", "transaction_id"),
        "clickstream": ("event_time", "event_id"),
    }[topic]
    event: dict[str, Any] = {"time_ms": milliseconds(record[time_field]), "id": record[id_field]}
    if topic == "clickstream":
        names = {"session": "session_id", "type": "event_type", "page": "page", "product": "product_id"}
        event |= {name: record[field] for name, field in names.items()} | {"dwell_ms": record["dwell_ms"] or 0}
        return record["user_id"], event
    if topic == "transactions":
        event |= {"declined": record["auth_result"] == "declined", "merchant": record["merchant_id"]}
        event |= {"country": record["country"], "device": record["device_id"]}
        amount, where, entity = Fraction(record["amount"]), record, record["card_id"]
    else:
        event |= {"declined": False, "merchant": record["brand"], "country": record["user_location"]["country"]}
        event["device"] = record["device_info"]["user_agent"]
        amount = Fraction(record["price"]) * record["quantity"] * (1 - Fraction(record["discount_applied"]))
        where, entity = record["user_location"], record["user_id"]
    event["currency"] = record["currency"]
    event["amount_minor"] = round(amount * minor_per_major(record["currency"]))  # a Fraction rounds half-even
    place = [float(where[axis]) for axis in ("latitude", "longitude") if where[axis] is not None]
    event["place"] = tuple(round(degrees * MICRODEGREES) for degrees in place) if len(place) == 2 else None
    return entity, event


def milliseconds(written: str) -> int:
    return (datetime.fromisoformat(written) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_events_can_be_made_from_records_by_the_docs_alone(name: str) -> None:
    profile = make_profile(name, 4)
    for number in range(400):
        value = encode(profile.record(START_MS + number * 1_111))
        record = json.loads(value, parse_float=str)  # every digit of a number counts
        entity, event = BY_TOPIC[profile.topic].decode(value, 7)
        kept = asdict(event)
        assert kept.pop("offset") == 7
        assert (entity, kept) == event_of(profile.topic, record)
