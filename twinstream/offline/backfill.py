"""`twinstream backfill`: features over history, from a topic or from a Parquet file of records, on all cores.

From a topic the vectors equal the live feature log's, byte for byte; where Kafka has deleted its beginning, from a
window and the allowed lateness after the oldest record on. A Parquet file has no log order: its rows are
taken by event time, then id, so nothing is late, and each row counts as having arrived when it happened.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import polars as pl

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.vectors import FeatureRecord
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import (
    IfDeleted,
    Record,
    RecordsDeleted,
    beginning_offsets,
    deleted_records,
    end_offsets,
    going_on_without,
    read_topic,
)
from twinstream.offline.columns import to_frame
from twinstream.offline.dataset import AS_KNOWN_NOW, AS_KNOWN_THEN, Dataset
from twinstream.offline.outcome import Outcome
from twinstream.offline.replay import replay, replay_as_known_now
from twinstream.parquet import event_times, read_records
from twinstream.registry import Registry
from twinstream.settings import Settings

PART_RECORDS = 20_000
SLICE_ROWS = 20_000
SHARDS_PER_CORE = 4
"""More shards than cores, so that a core which is done early takes another, and each is small in memory."""

LOOK_SECONDS = 0.2
YOUNG_OBJECTS = 50_000

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
    registry: Registry,
    group_name: str,
    settings: Settings,
    *,
    include_late: bool = False,
    cores: int | None = None,
    if_deleted: IfDeleted = IfDeleted.REFUSE,
    on_progress: OnProgress = lambda done: None,
) -> Outcome:
    """Compute a group's vectors over a source and write them as a dataset, unless no record is accepted.

    Args:
        source: the name of a topic, or the path of a Parquet file.
        out: root of the dataset; it must not have records of the group yet.
        registry: the groups; the processes load the same ones.
        group_name: what is computed.
        settings: window, lateness and limits; where Kafka is.
        include_late: as known now: late records count, too.
        cores: processes; by default one per core.
        if_deleted: whether to go on where Kafka has deleted the beginning of the topic.
        on_progress: told how far it has got.

    Raises:
        UserError: there is nothing to read, or something in the way of the output.
        RecordsDeleted: the topic has lost its beginning, and nobody decided to go on without it.
    """
    group = registry.named(group_name)
    dataset = Dataset(out, group)
    if dataset.exists:
        raise UserError(f"{dataset.directory} has records already. Choose another --out, or delete it first.")
    if not source.endswith(".parquet"):
        _look_for_deleted(source, settings, if_deleted)
    cores = cores or os.cpu_count() or 1
    unfinished = Dataset(out / f".unfinished-{group.name}", group)
    origin = f"{source}, {AS_KNOWN_NOW if include_late else AS_KNOWN_THEN}"
    with unfinished.writing(origin, afresh=True), _removed_at_the_end(unfinished.directory.parent) as folder:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if source.endswith(".parquet"):
                shards = _split_apart(Path(source), group, registry, Path(scratch), cores * SHARDS_PER_CORE)
            else:
                shards = [Shard(group.name, number) for number in sorted(end_offsets(settings, source))]
            if not shards:
                raise UserError(f"{source} has no records.")
            task = Task(source, folder, registry.source, settings, include_late)
            replayed = _on_all_cores(shards, task, min(cores, len(shards)), on_progress)
        if replayed.good:
            shutil.rmtree(dataset.directory, ignore_errors=True)  # what is there has no records
            unfinished.directory.rename(dataset.directory)
    return replayed


@contextmanager
def _removed_at_the_end(folder: Path) -> Iterator[Path]:
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _look_for_deleted(topic: str, settings: Settings, if_deleted: IfDeleted) -> None:
    beginnings = beginning_offsets(settings, topic)
    deleted = deleted_records(topic, dict.fromkeys(beginnings, 0), beginnings)
    if deleted and if_deleted is IfDeleted.REFUSE:
        wait_s = (settings.window_ms + settings.lateness_ms) // 1_000
        raise RecordsDeleted(
            deleted,
            f"Vectors of the first {wait_s} s after them lack events. Take what is left with --if-log-lost continue.",
        )
    going_on_without(deleted)


def split_file(source: Path, group: FeatureGroup, scratch: Path, count: int) -> list[Shard]:
    """Sort a file's rows by event time, then id, number them, and split them by entity into `count` files.

    Text and numbers stay as they are, so that the decoder decides about each as on the stream.

    Raises:
        UserError: there is no such file, or it has no records of the group.
    """
    frame = read_records(source, (group.id, group.entity), group.wire_type.__struct_fields__)
    times = event_times(frame, group.time, source)
    if frame.schema[group.time].is_temporal():
        frame = frame.with_columns(pl.col(group.time).dt.epoch("ms"))
    shard_of = pl.col(group.entity).hash(seed=0) % count
    frame = frame.with_columns(times.alias(_TIME), shard_of.alias(_SHARD)).sort(_TIME, group.id).with_row_index(_OFFSET)
    shards = []
    for number in range(count):
        path = scratch / f"{number}.arrow"
        rows = frame.lazy().filter(pl.col(_SHARD) == number).drop(_SHARD)
        rows.sink_ipc(path, record_batch_size=SLICE_ROWS)
        shards.append(Shard(group.name, number, path))
    return shards


def _split_apart(source: Path, group: FeatureGroup, registry: Registry, scratch: Path, count: int) -> list[Shard]:
    """`split_file` in a process that gives its memory back when it ends."""
    with ProcessPoolExecutor(1, _processes()) as pool:
        return pool.submit(_split, source, registry.source, group.name, scratch, count).result()


def _split(source: Path, definitions: str, group: str, scratch: Path, count: int) -> list[Shard]:
    return split_file(source, load_registry(definitions).named(group), scratch, count)


@dataclass(frozen=True, slots=True)
class Task:
    """What every process of a backfill must know."""

    source: str
    out: Path
    definitions: str
    settings: Settings
    include_late: bool


def _on_all_cores(shards: Sequence[Shard], task: Task, cores: int, on_progress: OnProgress) -> Outcome:
    """Replay every shard in a process of its own, `cores` of them at a time."""
    context = _processes()
    done = context.Value("q", 0)
    total = Outcome()
    with ProcessPoolExecutor(cores, context, _begin, (done,)) as pool:
        waiting: set[Future[Outcome]] = {pool.submit(_replay_shard, shard, task) for shard in shards}
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=LOOK_SECONDS)
                on_progress(done.value)
                for future in finished:
                    total.add(future.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return total


def _processes() -> ForkServerContext:
    """Processes forked from one that has imported everything and done nothing: they start at once, and share that."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_done: "Synchronized[int]"


def _begin(done: "Synchronized[int]") -> None:
    """In a new process: keep the counter that all of them share, and look for garbage cycles rarely.

    Python would look through the states of all entities again and again, a fifth of the time, and find none.
    """
    global _done
    _done = done
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)


def _advance(count: int) -> None:
    with _done.get_lock():
        _done.value += count


def _replay_shard(shard: Shard, task: Task) -> Outcome:
    """Replay a shard and write its parts."""
    group = load_registry(task.definitions).named(shard.group)
    records: Iterable[Record]
    if shard.path is None:
        records = read_topic(task.settings, task.source, only=[shard.number])
    else:
        records = file_records(shard.path, group)
    with _Parts(Dataset(task.out, group), shard) as parts:
        run = replay_as_known_now if task.include_late else replay
        return run(group, records, task.settings, parts.add, advance=_advance)


def file_records(path: Path, group: FeatureGroup) -> Iterator[Record]:
    """The rows of a shard as records that arrived when they happened."""
    frame = pl.scan_ipc(path)
    height = frame.select(pl.len()).collect().item()
    as_json = pl.struct(pl.exclude(_OFFSET, _TIME)).struct.json_encode()
    columns = [
        pl.col(_OFFSET),
        pl.col(_TIME).fill_null(0),
        pl.col(group.entity),
        as_json.alias("_"),
    ]
    for start in range(0, height, SLICE_ROWS):
        rows = frame.slice(start, SLICE_ROWS).select(columns).collect()
        for offset, time_ms, key, value in rows.iter_rows():
            yield Record(group.topic, 0, offset, time_ms, None if key is None else key.encode(), value.encode())


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


_OFFSET, _SHARD, _TIME = "__offset", "__shard", "__time"
