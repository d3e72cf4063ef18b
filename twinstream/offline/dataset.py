"""A feature dataset on disk: Parquet parts, by group and shard: a source partition, or some entities of a file.

    features/group=transaction/shard=0/00000000000000000000-00000000000000019999.parquet

A part's name says which records are in it, first to last, so the parts themselves say how far an export has got.
A part appears whole or not at all: it is written under another name and then renamed.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import polars as pl

from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.files import told_if_unwritable
from twinstream.offline.columns import columns
from twinstream.parquet import parquet_schema, write_parquet

ORIGIN = "_origin"
AS_KNOWN_THEN, AS_KNOWN_NOW = "as known then", "as known now"
"""Ends of an origin: whether vectors leave out what came too late, or contain it."""


class Dataset:
    """The records of one group under a root folder."""

    def __init__(self, root: Path, group: FeatureGroup) -> None:
        self.group = group
        self.directory = root / f"group={group.name}"

    @property
    def exists(self) -> bool:
        """Whether there is anything of the group."""
        return any(self._parts())

    @property
    def origin(self) -> str:
        """Where the records come from; empty when there are none."""
        note = self.directory / ORIGIN
        return note.read_text(encoding="utf-8") if note.exists() else ""

    @contextmanager
    def writing(self, origin: str, afresh: bool = False) -> Iterator[None]:
        """Be the only one to add records, which come from `origin`; or, `afresh`, to write all of them.

        Raises:
            UserError: somebody else is adding some, the folder has records of another origin or with other features,
                or it cannot be written.
        """
        with told_if_unwritable(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.directory, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"Another process is writing to {self.directory}. Wait until it has ended.") from None
            before = self.origin
            if before not in ("", origin) and not afresh:
                raise UserError(f"{self.directory} has records of {before}, not of {origin}. Choose another folder.")
            if not afresh:
                self._check_columns(islice(self._parts(), 1))
            with told_if_unwritable(self.directory):
                for left_over in self.directory.glob("shard=*/*" if afresh else "shard=*/*.tmp"):
                    left_over.unlink()
                (self.directory / ORIGIN).write_text(origin, encoding="utf-8")
            yield
        finally:
            os.close(handle)

    def write(self, partition: int, first: int, last: int, frame: pl.DataFrame) -> Path:
        """Write a part with the records of a partition from one offset to another."""
        path = self.directory / f"shard={partition}" / f"{first:020d}-{last:020d}.parquet"
        with told_if_unwritable(self.directory):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp")
            with scratch.open("wb") as file:
                write_parquet(frame, file, compression="zstd", compression_level=1)
                file.flush()
                os.fsync(file.fileno())
            scratch.rename(path)
        return path

    def next_offsets(self) -> dict[int, int]:
        """By partition, the offset after the last record that is there."""
        reached: dict[int, int] = {}
        for path in self._parts():
            partition = int(path.parent.name.partition("=")[2])
            last = int(path.stem.partition("-")[2])
            reached[partition] = max(reached.get(partition, 0), last + 1)
        return reached

    def scan(self) -> pl.LazyFrame:
        """All records.

        Raises:
            UserError: there are none, or they have other features than the group has now.
        """
        if not self.exists:
            remedy = f"twinstream export --out {self.directory.parent}"
            raise UserError(f"{self.directory} has no records. Write some with: {remedy}")
        parts = sorted(self._parts())
        self._check_columns(parts)
        return pl.scan_parquet(parts, glob=False, hive_partitioning=False)

    def _parts(self) -> Iterator[Path]:
        return self.directory.glob("shard=*/*.parquet")

    def _check_columns(self, parts: Iterable[Path]) -> None:
        """Refuse parts that were written when the group had other features."""
        wanted = columns(self.group)
        for path in parts:
            present = dict(parquet_schema(path))
            if present != wanted:
                differing = sorted(name for name in {*wanted, *present} if present.get(name) != wanted.get(name))
                raise UserError(
                    f"{path} was written when the {self.group.name} features were others; they differ in "
                    f"{', '.join(differing)}. Write all of them anew, to another folder."
                )
