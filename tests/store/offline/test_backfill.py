"""Backfill of a Parquet file on several processes; Polars and DuckDB recompute what it found."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.groups import GROUPS
from producers.parquet import generate_dataset
from runtime.errors import UserError
from runtime.settings import Settings
from store.offline.backfill import backfill
from store.offline.columns import to_records
from store.offline.dataset import Dataset
from tests.oracle.vectors import COMPARED, by_duckdb, by_polars, differences, payments_in_order
from tests.store.offline.logs import encoded

GROUP = GROUPS["transaction"]
ROWS = 100_000
WINDOW_MINUTES = 1_440
"""A day, so that a card's payments of the last month share windows."""


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of 500 cards."""
    path = Path(generate_dataset(ROWS, tmp_path_factory.mktemp("payments")))
    few_cards = pl.concat_str(pl.lit("card_"), pl.col("card_id").hash(seed=1) % 500)
    pl.read_parquet(path).with_columns(few_cards.alias("card_id")).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def found(payments: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """What a backfill on two processes makes of them."""
    out = tmp_path_factory.mktemp("history")
    done: list[int] = []
    settings = Settings(window_size_minutes=WINDOW_MINUTES)
    replayed = backfill(str(payments), out, GROUP.name, settings, cores=2, on_progress=done.append)
    assert replayed.accepted == ROWS
    assert done == sorted(done)
    assert done[-1] == ROWS
    assert [path.name for path in out.iterdir()] == [f"group={GROUP.name}"]
    return Dataset(out, GROUP).scan().collect()


@pytest.mark.parametrize("oracle", [by_polars, by_duckdb])
def test_every_vector_equals_the_oracle(
    oracle: Callable[[pl.DataFrame, int], pl.DataFrame], payments: Path, found: pl.DataFrame
) -> None:
    theirs = oracle(payments_in_order(payments), WINDOW_MINUTES * 60_000)
    compared, apart = differences(found, theirs)
    assert compared > ROWS * 0.99
    assert theirs["txn_count"].mean() > 5
    assert apart == dict.fromkeys(COMPARED, 0)


def test_how_many_processes_cannot_be_told_from_the_vectors(payments: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.parquet"
    pl.read_parquet(payments).head(3_000).write_parquet(few)
    outcomes = []
    for cores in (1, 3):
        out = tmp_path / str(cores)
        backfill(str(few), out, GROUP.name, Settings(), cores=cores)
        outcomes.append(sorted(encoded(list(to_records(GROUP, Dataset(out, GROUP).scan().collect())))))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 3_000


def test_rows_that_are_no_records_are_counted_by_reason(tmp_path: Path) -> None:
    time_ms = 1_772_452_800_000
    good = {"transaction_id": "a", "event_time": time_ms, "card_id": "c1", "amount": 10.5, "currency": "EUR"}
    rows = [good, good, good | {"transaction_id": None}, good | {"currency": "eur"}, good | {"card_id": None}]
    rows.append(good | {"transaction_id": "b", "event_time": None})
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    replayed = backfill(str(tmp_path / "rows.parquet"), tmp_path / "out", GROUP.name, Settings(), cores=1)
    assert (replayed.accepted, dict(replayed.dead_letters)) == (1, {"duplicate": 1, "schema": 4})


def test_a_backfill_that_failed_leaves_nothing_and_can_be_repeated(payments: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no column event_id, so it has no clickstream"):
        backfill(str(payments), tmp_path, "clickstream", Settings())
    pl.read_parquet(payments).head(10).write_parquet(tmp_path / "few.parquet")
    unfinished = tmp_path / ".unfinished-transaction" / "group=transaction" / "shard=7"
    unfinished.mkdir(parents=True)
    (unfinished / f"{0:020d}-{1:020d}.parquet").write_bytes(b"of a run that was killed")
    backfill(str(tmp_path / "few.parquet"), tmp_path, GROUP.name, Settings(), cores=1)
    assert Dataset(tmp_path, GROUP).scan().collect().height == 10
    with pytest.raises(UserError, match="has records already"):
        backfill(str(tmp_path / "few.parquet"), tmp_path, GROUP.name, Settings())
