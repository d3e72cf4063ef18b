"""`python -m store backfill`: features over history, from a topic or from a Parquet file of records, on all cores.

From a topic the vectors equal the live feature log's, byte for byte. A Parquet file has no log order: its rows are
taken by event time, then id, so nothing is late, and each row counts as having arrived when it happened.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import polars as pl

from features.catalog import FeatureGroup
from features.groups import GROUPS
from features.vectors import FeatureRecord
from runtime.errors import UserError
from runtime.kafka import Record, read_topic
from runtime.kafka.reading import end_offsets
from runtime.settings import Settings
from store.offline.columns import to_frame
from store.offline.dataset import Dataset
from store.offline.replay import Replayed, replay, replay_as_known_now

PART_RECORDS = 50_000
SLICE_ROWS = 20_000
SHARDS_PER_CORE = 2
"""More shards than cores, so that a core which is done early takes another."""

LOOK_SECONDS = 0.2

OnProgress = Callable[[int], None]
"""Told the number of records done so far."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Some entities' records: of a partition of a topic or, where there is a path, the rows of a file."""

    group: str
    number: int
    path: Path | None = None


def backfill(
    source: str,
    out: Path,
    group_name: str,
    settings: Settings,
    *,
    include_late: bool = False,
    cores: int | None = None,
    on_progress: OnProgress = lambda done: None,
) -> Replayed:
    """Compute a group's vectors over a source and write them as a dataset.

    Args:
        source: the name of a topic, or the path of a Parquet file.
        out: root of the dataset; it must not have records of the group yet.
        group_name: what is computed.
        settings: window, lateness and limits; where Kafka is.
        include_late: as known now: late records count, too.
        cores: processes; by default one per core.
        on_progress: told how far it has got.

    Raises:
        UserError: there is nothing to read, or something in the way of the output.
    """
    group = GROUPS[group_name]
    dataset = Dataset(out, group)
    if dataset.exists:
        raise UserError(f"{dataset.directory} has records already. Choose another --out, or delete it first.")
    cores = cores or os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        is_file = source.endswith(".parquet")
        shards = (
            split_file(Path(source), group_name, Path(scratch), cores * SHARDS_PER_CORE)
            if is_file
            else [Shard(group_name, number) for number in sorted(end_offsets(settings, source))]
        )
        if not shards:
            raise UserError(f"{source} has no records.")
        dataset.begin(f"{source}, as known {'now' if include_late else 'then'}")
        return _on_all_cores(shards, source, out, settings, include_late, min(cores, len(shards)), on_progress)


def split_file(source: Path, group_name: str, scratch: Path, count: int) -> list[Shard]:
    """Sort a file's rows by event time, then id, number them, and split them by entity into `count` files.

    Raises:
        UserError: there is no such file, or it lacks a column.
    """
    group = GROUPS[group_name]
    if not source.is_file():
        raise UserError(f"There is no file {source}.")
    frame = pl.read_parquet(source)
    for name in (group.time, group.id, group.entity):
        if name not in frame.columns:
            raise UserError(f"{source} has no column {name}, so it has no {group.topic}.")
    if frame.schema[group.time] != pl.Int64:
        frame = frame.with_columns(pl.col(group.time).cast(pl.Datetime("ms", "UTC")).dt.epoch("ms"))
    frame = frame.sort(group.time, group.id).with_row_index(_OFFSET)
    shards = []
    for number in range(count):
        path = scratch / f"{number}.arrow"
        frame.filter(pl.col(group.entity).hash(seed=0) % count == number).write_ipc(path)
        shards.append(Shard(group_name, number, path))
    return shards


def _on_all_cores(
    shards: Sequence[Shard],
    source: str,
    out: Path,
    settings: Settings,
    include_late: bool,
    cores: int,
    on_progress: OnProgress,
) -> Replayed:
    """Replay every shard in a process of its own, `cores` of them at a time."""
    context = get_context("spawn")
    done = context.Value("q", 0)
    total = Replayed()
    with ProcessPoolExecutor(cores, context, _remember, (done,)) as pool:
        waiting: set[Future[Replayed]] = {
            pool.submit(_replay_shard, shard, source, out, settings, include_late) for shard in shards
        }
        while waiting:
            finished, waiting = wait(waiting, timeout=LOOK_SECONDS)
            on_progress(done.value)
            for future in finished:
                total.add(future.result())
    return total


_done: "Synchronized[int]"


def _remember(done: "Synchronized[int]") -> None:
    """In a new process: keep the counter that all of them share."""
    global _done
    _done = done


def _advance(count: int) -> None:
    with _done.get_lock():
        _done.value += count


def _replay_shard(shard: Shard, source: str, out: Path, settings: Settings, include_late: bool) -> Replayed:
    """Replay a shard and write its parts."""
    group = GROUPS[shard.group]
    records: Iterable[Record] = (
        read_topic(settings, source, only=[shard.number]) if shard.path is None else _file_records(shard.path, group)
    )
    with _Parts(Dataset(out, group), shard) as parts:
        run = replay_as_known_now if include_late else replay
        return run(group, records, settings, parts.add, advance=_advance)


def _file_records(path: Path, group: FeatureGroup) -> Iterator[Record]:
    """The rows of a shard as records that arrived when they happened."""
    frame = pl.read_ipc(path)
    for start in range(0, frame.height, SLICE_ROWS):
        rows = frame.slice(start, SLICE_ROWS)
        values = rows.select(pl.struct(pl.exclude(_OFFSET)).struct.json_encode()).to_series()
        for offset, time_ms, key, value in zip(
            rows[_OFFSET], rows[group.time], rows[group.entity], values, strict=True
        ):
            yield Record(
                group.topic, 0, offset, time_ms or 0, None if key is None else str(key).encode(), value.encode()
            )


class _Parts:
    """Collects a shard's feature records and writes them in parts; what is left, when the block ends."""

    def __init__(self, dataset: Dataset, shard: Shard) -> None:
        self._dataset = dataset
        self._folder = shard.number
        self._records: list[FeatureRecord] = []

    def __enter__(self) -> "_Parts":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None and self._records:
            self._write()

    def add(self, records: Sequence[FeatureRecord]) -> None:
        """Take in some records."""
        self._records += records
        if len(self._records) >= PART_RECORDS:
            self._write()

    def _write(self) -> None:
        offsets = [record.offset for record in self._records]
        frame = to_frame(self._dataset.group, self._records)
        self._dataset.write(self._folder, min(offsets), max(offsets), frame)
        self._records.clear()


_OFFSET = "__offset"
