"""Bad records of every kind, as one plain table: the reason they must be set aside for, and how they are made."""

import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from producers.records import Message, Record, encode, iso_utc, parse_ms
from producers.schema import Schema

TEN_MEGABYTES = 10_000_000
NESTING = 10_000


class Scene(NamedTuple):
    """What a bad record is made from: a good one just sent, and the limits that it has to break."""

    record: Record
    schema: Schema
    random: Random
    max_record_bytes: int
    lateness_ms: int
    as_of_ms: int

    @property
    def time_ms(self) -> int:
        """Event time of the good record."""
        return parse_ms(self.record[self.schema.time])

    def altered(self, **changes: object) -> Record:
        """A copy of the good record with an id of its own and other values; `...` leaves a field out."""
        record = self.record | {self.schema.id: f"{self.record[self.schema.id]}_x{self.random.getrandbits(24):06x}"}
        record |= changes
        return {name: value for name, value in record.items() if value is not ...}


Maker = Callable[[Scene], bytes | None]


def _raw_number(scene: Scene, literal: str) -> bytes:
    """The record with a number that JSON does not have."""
    field = "amount" if "amount" in scene.record else "price" if "price" in scene.record else "dwell_ms"
    return json.dumps(scene.altered(**{field: float(literal)})).encode()


def _amount(scene: Scene, amount: object) -> Record:
    return scene.altered(**{"amount" if "amount" in scene.record else "price": amount})


def _padded(scene: Scene, size: int) -> bytes:
    """A record of exactly `size` bytes, right in everything but that."""
    empty = encode(scene.altered(padding=""))
    return encode(json.loads(empty) | {"padding": "x" * (size - len(empty))})


def _invalid_utf8(scene: Scene) -> bytes:
    return encode(scene.altered(note="\u00e9")).replace("\u00e9".encode(), b"\xe9\xff")


def _late(scene: Scene) -> bytes:
    """Older than a record of the same key that is already in the log, by more than the allowed lateness."""
    late_ms = scene.time_ms - scene.lateness_ms - scene.random.randrange(60_000, 600_000)
    return encode(scene.altered(**{scene.schema.time: iso_utc(max(0, late_ms))}))


def _location(scene: Scene, latitude: object) -> Record:
    if "user_location" in scene.record:
        return scene.altered(user_location=scene.record["user_location"] | {"latitude": latitude})
    return scene.altered(latitude=latitude)


class BadRecord(NamedTuple):
    """One kind of bad record."""

    kind: str
    reason: str
    make: Maker
    topics: tuple[str, ...] = ("transactions", "orders", "clickstream")
    copies: int = 1


_MONEY = ("transactions", "orders")

BAD_RECORDS = (
    BadRecord("one_byte_too_large", "oversized", lambda scene: _padded(scene, scene.max_record_bytes + 1)),
    BadRecord("twice_too_large", "oversized", lambda scene: _padded(scene, scene.max_record_bytes * 2)),
    BadRecord("ten_megabytes", "oversized", lambda scene: _padded(scene, TEN_MEGABYTES), ("transactions",)),
    BadRecord("truncated_json", "malformed", lambda scene: encode(scene.altered())[:-20]),
    BadRecord("wrong_and_truncated", "malformed", lambda scene: encode(scene.altered(**{scene.schema.time: []}))[:-20]),
    BadRecord("no_json", "malformed", lambda _: b"<transaction/>"),
    BadRecord("invalid_utf8", "malformed", _invalid_utf8),
    BadRecord("deeply_nested", "malformed", lambda _: b"[" * NESTING + b"]" * NESTING),
    BadRecord("nan", "malformed", lambda scene: _raw_number(scene, "nan")),
    BadRecord("infinity", "malformed", lambda scene: _raw_number(scene, "inf")),
    BadRecord("empty_value", "malformed", lambda _: b""),
    BadRecord("null_value", "malformed", lambda _: None),
    BadRecord("missing_field", "schema", lambda scene: encode(scene.altered(**{scene.schema.key: ...}))),
    BadRecord("wrong_type", "schema", lambda scene: encode(scene.altered(**{scene.schema.time: ["noon"]}))),
    BadRecord(
        "epoch_seconds",
        "schema",
        lambda scene: encode(scene.altered(**{scene.schema.time: scene.time_ms // 1000})),
    ),
    BadRecord("grouped_digits", "schema", lambda scene: encode(_amount(scene, "1_000")), _MONEY),
    BadRecord("latitude_91", "schema", lambda scene: encode(_location(scene, 91.0)), _MONEY),
    BadRecord("bad_currency", "schema", lambda scene: encode(scene.altered(currency="usd")), _MONEY),
    BadRecord(
        "unknown_event_type", "schema", lambda scene: encode(scene.altered(event_type="teleport")), ("clickstream",)
    ),
    BadRecord("negative_dwell", "schema", lambda scene: encode(scene.altered(dwell_ms=-5)), ("clickstream",)),
    BadRecord(
        "year_2999", "future", lambda scene: encode(scene.altered(**{scene.schema.time: "2999-12-31T23:59:59.000Z"}))
    ),
    BadRecord(
        "year_2222", "future", lambda scene: encode(scene.altered(**{scene.schema.time: "2222-02-22T22:22:22.000Z"}))
    ),
    BadRecord("too_late", "late", _late, copies=3),
    BadRecord("sent_again", "duplicate", lambda scene: encode(scene.record), copies=3),
)
"""Every kind that a seed injects, in the order of the checks that find them."""

MINUTES_AHEAD = BadRecord(
    "ten_minutes_ahead",
    "future",
    lambda scene: encode(scene.altered(**{scene.schema.time: iso_utc(scene.as_of_ms + 600_000)})),
)
"""A clock that is ten minutes fast: only bad in a seed that ends now, since the broker's clock decides."""

REASONS = ("oversized", "malformed", "schema", "future", "late", "duplicate")


def bad_records_for(topic: str, ends_now: bool) -> list[BadRecord]:
    """What is injected into a topic, copies repeated."""
    kinds = (*BAD_RECORDS, MINUTES_AHEAD) if ends_now else BAD_RECORDS
    return [bad for bad in kinds if topic in bad.topics for _ in range(bad.copies)]


def bad_message(bad: BadRecord, scene: Scene) -> Message:
    """The bad record under the key of the good one, so that it meets it in its partition."""
    return Message(str(scene.record[scene.schema.key]), bad.make(scene))
