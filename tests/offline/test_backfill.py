"""Backfill of a Parquet file on several processes; Polars and DuckDB recompute what it found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from producers.parquet import generate_dataset
from tests.offline.logs import encoded, to_records
from tests.oracle.vectors import COMPARED, by_duckdb, by_polars, differences, payments_in_order
from tests.reference import GROUPS, REGISTRY
from twinstream.cli import app
from twinstream.errors import UserError
from twinstream.offline.backfill import backfill
from twinstream.offline.dataset import Dataset
from twinstream.settings import Settings

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
    replayed = backfill(str(payments), out, REGISTRY, GROUP.name, settings, cores=2, on_progress=done.append)
    assert replayed.good == ROWS
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
        backfill(str(few), out, REGISTRY, GROUP.name, Settings(), cores=cores)
        outcomes.append(sorted(encoded(list(to_records(GROUP, Dataset(out, GROUP).scan().collect())))))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 3_000


def test_rows_that_are_no_records_are_counted_by_reason(tmp_path: Path) -> None:
    time_ms = 1_772_452_800_000
    good = {"transaction_id": "a", "event_time": time_ms, "card_id": "c1", "amount": 10.5, "currency": "EUR"}
    rows = [good, good, good | {"transaction_id": None}, good | {"currency": "eur"}, good | {"card_id": None}]
    rows.append(good | {"transaction_id": "b", "event_time": None})
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    replayed = backfill(str(tmp_path / "rows.parquet"), tmp_path / "out", REGISTRY, GROUP.name, Settings(), cores=1)
    assert (replayed.good, dict(replayed.reasons)) == (1, {"duplicate": 1, "schema": 4})


def test_a_backfill_that_failed_leaves_nothing_and_can_be_repeated(payments: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no column event_id. It has: "):
        backfill(str(payments), tmp_path, REGISTRY, "clickstream", Settings())
    assert list(tmp_path.iterdir()) == []
    pl.read_parquet(payments).head(10).write_parquet(tmp_path / "few.parquet")
    unfinished = tmp_path / ".unfinished-transaction" / "group=transaction" / "shard=7"
    unfinished.mkdir(parents=True)
    (unfinished / f"{0:020d}-{1:020d}.parquet").write_bytes(b"of a run that was killed")
    backfill(str(tmp_path / "few.parquet"), tmp_path, REGISTRY, GROUP.name, Settings(), cores=1)
    assert Dataset(tmp_path, GROUP).scan().collect().height == 10
    with pytest.raises(UserError, match="has records already"):
        backfill(str(tmp_path / "few.parquet"), tmp_path, REGISTRY, GROUP.name, Settings())


def rows_of(path: Path, **columns: Any) -> Path:
    """A file with three good payments, but for what `columns` says."""
    good = {
        "transaction_id": ["a", "b", "c"],
        "event_time": [1_772_452_800_000] * 3,
        "card_id": ["c1"] * 3,
        "amount": [1.5, 2.0, 3.0],
        "currency": ["EUR"] * 3,
    }
    pl.DataFrame(good | columns).write_parquet(path)
    return path


def times_of(path: Path, out: Path) -> list[int]:
    """Event times of the vectors of a file's records."""
    backfill(str(path), out, REGISTRY, GROUP.name, Settings(), cores=1)
    vectors = Dataset(out, GROUP).scan().sort("event_id").collect()
    return vectors["event_time"].dt.epoch("ms").to_list()


def test_text_is_read_as_on_the_stream_row_by_row(tmp_path: Path) -> None:
    texts = ["2026-03-02t12:00:00.0009999z", "2026-03-02", "2026-03-02 13:00:01.0005+0100"]
    path = rows_of(tmp_path / "text.parquet", event_time=texts)
    assert times_of(path, tmp_path / "out") == [1_772_452_800_001, 1_772_452_801_000]


def test_times_of_another_zone_are_the_same_moments(tmp_path: Path) -> None:
    times = pl.Series([1_772_452_800_000, 1_772_452_801_000, 1_772_452_802_000])
    there = times.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC").dt.convert_time_zone("America/Sao_Paulo")
    assert times_of(rows_of(tmp_path / "zone.parquet", event_time=there), tmp_path / "out") == times.to_list()


def test_integers_that_pandas_made_floats_are_accepted(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "pandas.parquet", mcc_code=[5411.0, None, float("nan")], event_time=[1.7724528e12] * 3)
    assert times_of(path, tmp_path / "out") == [1_772_452_800_000] * 3


def test_a_column_that_no_feature_needs_may_be_anything(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "photo.parquet", photo=[b"\xff"] * 3, __time=[0] * 3)
    assert len(times_of(path, tmp_path / "out")) == 3


def test_a_column_of_the_wrong_kind_is_one_line(tmp_path: Path) -> None:
    path = rows_of(tmp_path / "binary.parquet", merchant_id=[b"m"] * 3)
    with pytest.raises(UserError, match="Column merchant_id of .*binary.parquet is Binary; expected text"):
        backfill(str(path), tmp_path / "out", REGISTRY, GROUP.name, Settings(), cores=1)


def test_a_run_that_accepts_nothing_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    path, out = rows_of(tmp_path / "seconds.parquet", event_time=[1_772_452_800] * 3), tmp_path / "out"
    command = ["backfill", "--in", str(path), "--out", str(out), "--cores", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "Of 3 records none were accepted. Most often: schema (3), for example: Expected a time" in result.stderr
    assert "from 2000 to 9999 - at `$.event_time`, in" in result.stderr
    assert list(out.iterdir()) == []
    rows_of(path)
    assert CliRunner().invoke(app, command).exit_code == 0


def test_an_out_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="cannot be written .*Choose another place"):
        backfill(str(rows_of(tmp_path / "rows.parquet")), tmp_path / "out", REGISTRY, GROUP.name, Settings(), cores=1)
