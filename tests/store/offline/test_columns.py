"""Feature records as columns and back."""

import msgspec
import polars as pl
import pytest

from features.catalog import FeatureGroup
from features.groups import GROUPS
from runtime.errors import UserError
from store.offline.columns import RecordDecoder, as_time, columns, to_frame, to_records
from tests.store.offline.logs import EVERY_GROUP, PARTITIONS, encoded, live, processed

every_group = pytest.mark.parametrize("group", EVERY_GROUP, ids=lambda group: group.name)
TRANSACTION = GROUPS["transaction"]


def a_log(group: FeatureGroup) -> list[bytes]:
    return [value for partition in range(PARTITIONS) for value in live(processed(), group, partition)]


@every_group
def test_columns_are_the_catalogs_features(group: FeatureGroup) -> None:
    names = list(columns(group))
    assert names[-len(group.features) :] == [feature.name for feature in group.features]
    assert columns(group)[group.features[0].name] == pl.Int64  # a count


@every_group
def test_through_columns_a_log_keeps_every_byte(group: FeatureGroup) -> None:
    decode = RecordDecoder(group).decode
    log = a_log(group)
    assert len(log) > 100
    frame = to_frame(group, [decode(value) for value in log])
    assert frame.schema == columns(group)
    assert encoded(list(to_records(group, frame))) == log


def test_no_records_are_a_frame_of_the_same_columns() -> None:
    assert to_frame(TRANSACTION, []).schema == columns(TRANSACTION)


def test_a_record_of_another_version_is_refused() -> None:
    record = msgspec.json.decode(a_log(TRANSACTION)[0])
    with pytest.raises(ValueError, match="version 2 of transaction, not 1"):
        RecordDecoder(TRANSACTION).decode(msgspec.json.encode(record | {"version": 2}))


@pytest.mark.parametrize("change", [{"a_new_one": 1}, {"txn_count": "many"}, {"txn_count": None}])
def test_a_record_with_other_features_is_refused(change: dict[str, object]) -> None:
    record = msgspec.json.decode(a_log(TRANSACTION)[0])
    record["features"] |= change
    with pytest.raises(ValueError, match="does not have the features that transaction has now"):
        RecordDecoder(TRANSACTION).decode(msgspec.json.encode(record))


@pytest.mark.parametrize(
    "moments",
    [
        pl.Series("t", [1_772_452_800_123]),
        pl.Series("t", ["2026-03-02T12:00:00.123Z"]),
        pl.Series("t", ["2026-03-02T13:00:00.123+01:00"]),
        pl.Series("t", [1_772_452_800_123_456]).cast(pl.Datetime("us", "Europe/Berlin")),
    ],
)
def test_a_moment_is_read_however_it_is_written(moments: pl.Series) -> None:
    frame = moments.to_frame()
    assert frame.select(as_time(frame, "t", "x").dt.epoch("ms")).item() == 1_772_452_800_123


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        (pl.Series("t", ["yesterday"]), "text that is no time"),
        (pl.Series("t", ["2026-03-02T12:00:00"]), "text that is no time"),
        (pl.Series("t", [0]).cast(pl.Datetime("ms")), "names no moment"),
        (pl.Series("t", [1.5]), "names no moment"),
    ],
)
def test_what_is_no_moment_is_one_line(moments: pl.Series, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_time(moments.to_frame(), "t", "labels.parquet")
