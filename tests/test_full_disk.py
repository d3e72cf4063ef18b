"""A disk that is full is one line, whatever is being written; Polars calls it a file out of specification."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from producers.parquet import generate_dataset
from producers.records import Message
from producers.sinks.lines import LinesSink
from producers.sinks.parquet import ParquetSink
from tests.reference import GROUPS
from twinstream.errors import UserError
from twinstream.offline.columns import columns, to_frame
from twinstream.offline.dataset import Dataset
from twinstream.offline.training_set import Wanted, training_set

GROUP = GROUPS["transaction"]
ENTITIES = [f"card_{number * 7919 % 10_007}" for number in range(5_000)]


@contextmanager
def told_of_a_full_disk() -> Iterator[None]:
    """A block in which no file gets larger than 4 KB, and one line says so."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        with pytest.raises(UserError, match=r"cannot be written.*too large"):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_part_of_a_dataset(tmp_path: Path) -> None:
    frame = pl.concat([to_frame(GROUP, []), pl.DataFrame({"entity": ENTITIES})], how="diagonal")
    with told_of_a_full_disk():
        Dataset(tmp_path, GROUP).write(0, 0, 0, frame.cast(pl.Schema(columns(GROUP))))


def test_a_training_set(tmp_path: Path) -> None:
    labels = tmp_path / "labels.parquet"
    pl.DataFrame({"card_id": ENTITIES, "timestamp": [1_772_452_800_000] * len(ENTITIES)}).write_parquet(labels)
    Dataset(tmp_path, GROUP).write(0, 0, 0, to_frame(GROUP, []))
    with told_of_a_full_disk():
        training_set(labels, tmp_path, tmp_path / "out", [Wanted(GROUP, "card_id")], 1, time_column="timestamp")


def test_a_million_payments(tmp_path: Path) -> None:
    with told_of_a_full_disk():
        generate_dataset(1_000, tmp_path)


@pytest.mark.parametrize("kind", [ParquetSink, LinesSink])
def test_a_sink(kind: type[ParquetSink | LinesSink], tmp_path: Path) -> None:
    sink = kind(str(tmp_path / "records"))
    for entity in ENTITIES[:1_000]:
        sink.send(Message(entity, b'{"id": "%b"}' % entity.encode()))
    with told_of_a_full_disk():
        sink.close()


def test_lines_that_no_longer_fit_into_the_buffer(tmp_path: Path) -> None:
    sink = LinesSink(str(tmp_path / "records"))
    with told_of_a_full_disk():
        sink.send(Message("key", b"x" * 1_000_000))
    sink.close()
