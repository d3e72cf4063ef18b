"""The one encoder of vectors: feature-log records and the fields of a Redis hash."""

import re
from typing import Any

import msgspec

from twinstream.core.feature_group import FeatureGroup, Value


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


_encode = msgspec.json.Encoder().encode

encode_feature_record = _encode
"""A feature record as the JSON bytes that go into the feature log."""


FeatureMessage = tuple[bytes, bytes]
"""Key and value of a record in the feature log."""


def feature_message(record: FeatureRecord) -> FeatureMessage:
    """A feature record as it stands in the feature log."""
    return record.entity.encode(), _encode(record)


def decode_feature_record(value: bytes) -> FeatureRecord:
    """The feature record from its JSON; the vector comes back as a dictionary."""
    return _decoder.decode(value)


_decoder = msgspec.json.Decoder(FeatureRecord)


def hash_lines(group: FeatureGroup, vector: msgspec.Struct) -> bytes:
    """The readable values of a vector, in the catalog's order, as they stand in its Redis hash: each ends a line.

    Numbers are written as in JSON, nothing as `null`, text as `_quoted`, lists of names with commas between them.
    """
    values = list(msgspec.structs.astuple(vector))
    for at in group.lists:
        if values[at] is not None:
            values[at] = " ".join([_quoted(name) for name in values[at]])
    for at in group.texts:
        if values[at] is not None:
            values[at] = _quoted(values[at])
    return _encode(values).translate(_AS_LINES, b'["')


_AS_LINES = bytes.maketrans(b", ]", b"\n,\n")


def readable(value: Value) -> str:
    """A feature's value as it stands in Redis.

    >>> [readable(value) for value in (3, 0.25, True, None, ("unusual_hour", "amount_spike"))]
    ['3', '0.25', 'true', 'null', 'unusual_hour,amount_spike']
    >>> [readable(value) for value in ("198.51.100.7", "Café No. 7", "null")]
    ['198.51.100.7', 'Café%20No.%207', '%6Eull']
    """
    if isinstance(value, tuple):
        return ",".join([_quoted(name) for name in value])
    return _quoted(value) if isinstance(value, str) else _encode(value).decode()


def _quoted(text: str) -> str:
    """Text with the characters that would part a hash's lines, or end a name in a list, written as in a URL: %20.

    `null` is written so, too, since it stands for nothing.
    """
    if text == "null":
        return "%6Eull"
    return _special.sub(_percent, text)


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


_special = re.compile(r'[\x00-\x20"%,\[\\\]\x7f]')
