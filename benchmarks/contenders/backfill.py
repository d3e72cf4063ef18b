"""A file of payments to transaction vectors: `python -m benchmarks.contenders.backfill WHICH… SOURCE OUT`."""

import sys
from pathlib import Path
from typing import Any

import polars as pl

from features import transaction_features
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureRecord
from twinstream.definitions import load_registry
from twinstream.offline.backfill import PART_RECORDS, backfill
from twinstream.offline.columns import to_frame
from twinstream.settings import Settings

GROUP = transaction_features
WINDOW_MS = 300_000


def ours(source: Path, out: Path, cores: int) -> None:
    """The backfill."""
    backfill(str(source), out, load_registry("features"), GROUP.name, Settings(), cores=cores)


def plain(source: Path, out: Path) -> None:
    """What one would write first: all rows in order, one loop, the same functions, a Parquet file now and then."""
    frame = pl.read_parquet(source).sort("event_time", "transaction_id")
    frame = frame.with_columns(pl.col("event_time").dt.epoch("ms"))
    states: dict[str, EntityState] = {}
    out.mkdir()
    records: list[FeatureRecord] = []
    offset = 0
    for rows in frame.iter_slices(PART_RECORDS):
        for line in rows.write_ndjson().splitlines():
            entity, event = GROUP.decode(line.encode(), offset)
            state = states.get(entity)
            if state is None:
                state = states[entity] = EntityState(GROUP, WindowConfig(WINDOW_MS))
            records.append(_record(entity, event, state.insert(event, event.time_ms - 30_000)))
            offset += 1
        to_frame(GROUP, records).write_parquet(out / f"{offset}.parquet")
        records.clear()


def _record(entity: str, event: Any, vector: Any) -> FeatureRecord:
    return FeatureRecord(
        group=GROUP.name,
        version=GROUP.version,
        entity=entity,
        event_id=event.id,
        event_time=event.time_ms,
        topic=GROUP.topic,
        partition=0,
        offset=event.offset,
        timestamp=event.time_ms,
        features=vector,
    )


def polars(source: Path, out: Path) -> None:
    """Count and sum by `rolling`."""
    rows = pl.read_parquet(source, columns=["event_time", "transaction_id", "card_id", "amount"])
    out.mkdir()
    rows.sort("event_time", "transaction_id").rolling(
        "event_time", period="5m", closed="right", group_by="card_id"
    ).agg(pl.col("transaction_id").last(), pl.len().alias("txn_count"), pl.col("amount").sum()).write_parquet(
        out / "vectors.parquet"
    )


if __name__ == "__main__":
    which, *options, source, out = sys.argv[1:]
    if which == "ours":
        ours(Path(source), Path(out), int(options[0]))
    else:
        {"plain": plain, "polars": polars}[which](Path(source), Path(out))
