"""Feature records as columns: the schema of the offline store, derived from the catalog."""

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from twinstream.core.feature_group import Feature, FeatureGroup
from twinstream.core.vectors import FeatureRecord

TIME = pl.Datetime("ms", "UTC")

COORDINATES: dict[str, Any] = {
    "entity": pl.String,
    "event_id": pl.String,
    "event_time": TIME,
    "topic": pl.String,
    "partition": pl.Int32,
    "offset": pl.Int64,
    "timestamp": TIME,
    "version": pl.Int32,
}
"""Every column that is not a feature. `event_time` is when it happened; topic, partition, offset and `timestamp` say
where and when it arrived."""

_TYPES: dict[str, Any] = {
    "int": pl.Int64,
    "float": pl.Float64,
    "bool": pl.Boolean,
    "text": pl.String,
    "names": pl.List(pl.String),
}


def columns(group: FeatureGroup) -> dict[str, Any]:
    """Names and types of a group's columns: the coordinates, then the features in the catalog's order."""
    return COORDINATES | {feature.name: _TYPES[feature.type] for feature in group.features}


def to_frame(group: FeatureGroup, records: Sequence[FeatureRecord]) -> pl.DataFrame:
    """Feature records as a frame; their vectors are the group's structs."""
    schema = columns(group)
    if not records:
        return pl.DataFrame(schema=schema)
    places = [
        (
            record.entity,
            record.event_id,
            record.event_time,
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.version,
        )
        for record in records
    ]
    vectors = [msgspec.structs.astuple(record.features) for record in records]
    values = [*zip(*places, strict=True), *zip(*vectors, strict=True)]
    return pl.DataFrame(
        [
            pl.Series(name, column, dtype=pl.Int64 if kind == TIME else kind).cast(kind)
            for (name, kind), column in zip(schema.items(), values, strict=True)
        ]
    )


class RecordDecoder:
    """Decodes the feature log of one group, vectors as the group's structs."""

    def __init__(self, group: FeatureGroup) -> None:
        vector = msgspec.defstruct(
            "Vector",
            [(feature.name, _value_type(feature)) for feature in group.features],
            forbid_unknown_fields=True,
            gc=False,
        )
        kinds = msgspec.structs.fields(FeatureRecord)
        fields = [(field.name, vector if field.name == "features" else field.type) for field in kinds]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Logged", fields, kw_only=True, gc=False)).decode
        self._group = group

    def decode(self, value: bytes) -> FeatureRecord:
        """The feature record.

        Raises:
            ValueError: it is of another version of the group, or none at all.
        """
        try:
            logged: Any = self._decode(value)
        except msgspec.DecodeError as fault:
            raise ValueError(f"a record does not have the features that {self._group.name} has now ({fault})") from None
        if logged.version != self._group.version:
            raise ValueError(
                f"a record is of version {logged.version} of {self._group.name}, not {self._group.version}"
            )
        fields = msgspec.structs.asdict(logged)
        fields["features"] = self._group.values(*msgspec.structs.astuple(logged.features))
        return FeatureRecord(**fields)


def _value_type(feature: Feature) -> Any:
    kind = _PYTHON_TYPES[feature.type]
    return kind | None if feature.nullable else kind


_PYTHON_TYPES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "text": str, "names": tuple[str, ...]}
