"""A dataset on disk: parts that appear whole, one writer at a time, one origin."""

from pathlib import Path

import pytest

from tests.offline.logs import live, processed
from tests.reference import GROUPS
from twinstream.errors import UserError
from twinstream.offline.columns import RecordDecoder, to_frame
from twinstream.offline.dataset import Dataset

GROUP = GROUPS["transaction"]


def a_dataset(root: Path) -> Dataset:
    """With two parts: offsets 0 to 9 of partition 0, and 0 to 4 of partition 1."""
    dataset, decode = Dataset(root, GROUP), RecordDecoder(GROUP).decode
    with dataset.writing("topic features.transaction"):
        for partition, count in ((0, 10), (1, 5)):
            records = [decode(value) for value in live(processed(), GROUP, partition)[:count]]
            dataset.write(partition, 0, count - 1, to_frame(GROUP, records))
    return dataset


def test_parts_say_how_far_each_partition_has_got(tmp_path: Path) -> None:
    assert a_dataset(tmp_path).next_offsets() == {0: 10, 1: 5}
    assert Dataset(tmp_path, GROUPS["order"]).next_offsets() == {}


@pytest.mark.parametrize("folder", ["features", "features[1]", "features*"])
def test_all_parts_are_scanned(folder: str, tmp_path: Path) -> None:
    assert a_dataset(tmp_path / folder).scan().collect().height == 15


def test_a_part_that_was_not_finished_does_not_count_and_goes(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path)
    unfinished = dataset.directory / "shard=0" / f"{10:020d}-{19:020d}.tmp"
    unfinished.write_bytes(b"PAR1")
    assert dataset.next_offsets() == {0: 10, 1: 5}
    assert dataset.scan().collect().height == 15
    with dataset.writing("topic features.transaction"):
        assert not unfinished.exists()


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path)
    with (
        dataset.writing("topic features.transaction"),
        pytest.raises(UserError, match="Another process is writing"),
        Dataset(tmp_path, GROUP).writing("topic features.transaction"),
    ):
        pass
    with dataset.writing("topic features.transaction"):
        pass


def test_records_of_two_origins_are_not_mixed(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path)
    with (
        pytest.raises(UserError, match="has records of topic features.transaction, not of elsewhere"),
        dataset.writing("elsewhere"),
    ):
        pass


def test_an_empty_dataset_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="twinstream export --out"):
        Dataset(tmp_path, GROUP).scan()


def test_parts_with_other_features_are_neither_added_to_nor_read(tmp_path: Path) -> None:
    """A feature that was added since would stand in some parts only."""
    before = GROUP.with_features(GROUP.features[:-1])
    with Dataset(tmp_path, before).writing("topic features.transaction"):
        Dataset(tmp_path, before).write(0, 0, 0, to_frame(before, []))
    dataset, told = Dataset(tmp_path, GROUP), rf"differ in {GROUP.names[-1]}\. Write all of them anew"
    with pytest.raises(UserError, match=told), dataset.writing("topic features.transaction"):
        pass
    with pytest.raises(UserError, match=told):
        dataset.scan()
    with dataset.writing("topic features.transaction", afresh=True):
        dataset.write(0, 0, 0, to_frame(GROUP, []))
    assert dataset.scan().collect().height == 0
