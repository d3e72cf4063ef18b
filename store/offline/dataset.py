"""A feature dataset on disk: Parquet parts, by group and source partition.

    features/group=transaction/partition=0/00000000000000000000-00000000000000019999.parquet

A part's name says which records are in it, first to last, so the parts themselves say how far an export has got.
A part appears whole or not at all: it is written under another name and then renamed.
"""

import os
from pathlib import Path

import polars as pl

from features.catalog import FeatureGroup
from runtime.errors import UserError

ORIGIN = "_origin"


class Dataset:
    """The records of one group under a root folder."""

    def __init__(self, root: Path, group: FeatureGroup) -> None:
        self.group = group
        self.directory = root / f"group={group.name}"

    @property
    def exists(self) -> bool:
        """Whether there is anything of the group."""
        return any(self.directory.glob("partition=*/*.parquet"))

    def begin(self, origin: str) -> None:
        """Note where the records come from, or make sure that it is the same place as before.

        Raises:
            UserError: the folder has records of another origin.
        """
        note = self.directory / ORIGIN
        if note.exists() and (before := note.read_text(encoding="utf-8")) != origin:
            raise UserError(f"{self.directory} has records of {before}, not of {origin}. Choose another folder.")
        self.directory.mkdir(parents=True, exist_ok=True)
        note.write_text(origin, encoding="utf-8")

    def write(self, partition: int, first: int, last: int, frame: pl.DataFrame) -> Path:
        """Write a part with the records of a partition from one offset to another."""
        path = self.directory / f"partition={partition}" / f"{first:020d}-{last:020d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        frame.write_parquet(scratch, compression="zstd")
        scratch.rename(path)
        return path

    def next_offsets(self) -> dict[int, int]:
        """By partition, the offset after the last record that is there."""
        reached: dict[int, int] = {}
        for path in self.directory.glob("partition=*/*.parquet"):
            partition = int(path.parent.name.partition("=")[2])
            last = int(path.stem.partition("-")[2])
            reached[partition] = max(reached.get(partition, 0), last + 1)
        return reached

    def scan(self) -> pl.LazyFrame:
        """All records.

        Raises:
            UserError: there are none.
        """
        if not self.exists:
            remedy = f"python -m store export --out {self.directory.parent}"
            raise UserError(f"{self.directory} has no records. Write some with: {remedy}")
        return pl.scan_parquet(self.directory / "partition=*" / "*.parquet", hive_partitioning=False)
