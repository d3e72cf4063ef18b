"""The one encoder of vectors: feature-log records and the fields of a Redis hash."""

from collections.abc import Callable
from types import NoneType
from typing import Any

import msgspec

from features.catalog import FeatureGroup, Value


class FeatureRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A record of the feature log: the vector at an accepted event, and where that event came from.

    Attributes:
        group, version: whose definitions the features follow.
        entity: the card or user.
        event_id, event_time: the accepted event; its time in epoch ms is the moment of the vector.
        topic, partition, offset, timestamp: the event's place in its source log, and when it was appended (epoch ms).
        features: the vector, in the catalog's order.
    """

    group: str
    version: int
    entity: str
    event_id: str
    event_time: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    features: Any


encode_feature_record = msgspec.json.Encoder().encode
"""A feature record as the JSON bytes that go into the feature log."""


def decode_feature_record(value: bytes) -> FeatureRecord:
    """The feature record from its JSON; the vector comes back as a dictionary."""
    return _decoder.decode(value)


_decoder = msgspec.json.Decoder(FeatureRecord)


def hash_fields(group: FeatureGroup, vector: msgspec.Struct) -> list[str]:
    """Names and readable values of a vector in turn, as they stand in its Redis hash.

    Numbers are written as in JSON, nothing as `null`, names with commas between them.
    """
    fields: list[str] = [""] * (2 * len(group.names))
    fields[::2] = group.names
    fields[1::2] = [_WRITERS[type(value)](value) for value in msgspec.structs.astuple(vector)]
    return fields


def readable(value: Value) -> str:
    """A feature's value as it stands in Redis.

    >>> [readable(value) for value in (3, 0.25, True, None, ("unusual_hour", "amount_spike"))]
    ['3', '0.25', 'true', 'null', 'unusual_hour,amount_spike']
    """
    return _WRITERS[type(value)](value)


_WRITERS: dict[type, Callable[[Any], str]] = {
    int: repr,
    float: repr,
    bool: {True: "true", False: "false"}.__getitem__,
    NoneType: lambda nothing: "null",
    tuple: ",".join,
}
"""How a value of each type is written."""
