"""Feature records as columns and back."""

import msgspec
import polars as pl
import pytest

from tests.offline.logs import EVERY_GROUP, PARTITIONS, encoded, live, processed, to_records
from tests.reference import GROUPS
from twinstream.core.feature_group import FeatureGroup
from twinstream.offline.columns import RecordDecoder, columns, to_frame

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
