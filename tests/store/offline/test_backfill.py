"""Backfill of a Parquet file on several processes; Polars and DuckDB recompute what it found.

Both let a row see all rows of its own time, so what is compared is the last row of every tie: there ours sees them too.
"""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from features.groups import GROUPS
from features.money import minor_per_major
from producers.parquet import generate_dataset
from runtime.errors import UserError
from runtime.settings import Settings
from store.offline.backfill import backfill
from store.offline.columns import to_records
from store.offline.dataset import Dataset
from tests.store.offline.logs import encoded

GROUP = GROUPS["transaction"]
ROWS = 100_000
WINDOW_MINUTES = 1_440
"""A day, so that a card's payments of the last month share windows."""

COMPARED = (
    "txn_count",
    "amount_sum",
    "amount_mean",
    "amount_max",
    "distinct_merchants",
    "distinct_countries",
    "distinct_devices",
    "distinct_currencies",
    "declined_count",
)


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


@pytest.fixture(scope="module")
def rows(payments: Path) -> pl.DataFrame:
    """The payments in their order, amounts in minor units."""
    frame = pl.read_parquet(payments)
    currencies = frame["currency"].unique().to_list()
    scale = pl.col("currency").replace_strict({name: minor_per_major(name) for name in currencies})
    return (
        frame.with_columns(pl.col("event_time").dt.epoch("ms").alias("t"))
        .with_columns(
            (pl.col("amount").cast(pl.Float64) * scale).round(0).cast(pl.Int64).alias("minor"), scale.alias("scale")
        )
        .with_columns((pl.col("auth_result") == "declined").fill_null(False).alias("declined"))
        .sort("t", "transaction_id")
    )


def by_polars(rows: pl.DataFrame) -> pl.DataFrame:
    period = f"{WINDOW_MINUTES * 60_000}i"
    distinct = {"merchants": "merchant_id", "countries": "country", "devices": "device_id", "currencies": "currency"}
    counts = rows.rolling("t", period=period, closed="right", group_by="card_id").agg(
        pl.col("transaction_id").last(),
        pl.len().alias("txn_count"),
        *(pl.col(column).drop_nulls().n_unique().alias(f"distinct_{name}") for name, column in distinct.items()),
        pl.col("declined").sum().alias("declined_count"),
    )
    amounts = rows.rolling("t", period=period, closed="right", group_by=["card_id", "currency"]).agg(
        pl.col("transaction_id").last(),
        (pl.col("minor").sum() / pl.col("scale").last()).alias("amount_sum"),
        (pl.col("minor").mean() / pl.col("scale").last()).alias("amount_mean"),
        (pl.col("minor").max() / pl.col("scale").last()).alias("amount_max"),
    )
    return counts.unique("transaction_id").join(amounts.unique("transaction_id"), on="transaction_id")


def by_duckdb(rows: pl.DataFrame) -> pl.DataFrame:
    table = rows.to_arrow()  # noqa: F841 - DuckDB finds it by its name
    reach = f"RANGE BETWEEN {WINDOW_MINUTES * 60_000 - 1} PRECEDING AND CURRENT ROW"
    return duckdb.sql(
        f"""
        SELECT transaction_id, count(*) OVER card AS txn_count,
          sum(minor) OVER money / scale AS amount_sum, avg(minor) OVER money / scale AS amount_mean,
          max(minor) OVER money / scale AS amount_max,
          count(DISTINCT merchant_id) OVER card AS distinct_merchants,
          count(DISTINCT country) OVER card AS distinct_countries,
          count(DISTINCT device_id) OVER card AS distinct_devices,
          count(DISTINCT currency) OVER card AS distinct_currencies,
          count(*) FILTER (declined) OVER card AS declined_count
        FROM "table"
        WINDOW card AS (PARTITION BY card_id ORDER BY t {reach}),
          money AS (PARTITION BY card_id, currency ORDER BY t {reach})
        """
    ).pl()


@pytest.mark.parametrize("oracle", [by_polars, by_duckdb])
def test_every_vector_equals_the_oracle(oracle: object, rows: pl.DataFrame, found: pl.DataFrame) -> None:
    last_of_tie = found.sort("offset").group_by("entity", "event_time").last()
    theirs = oracle(rows)  # type: ignore[operator]
    both = last_of_tie.join(theirs, left_on="event_id", right_on="transaction_id", suffix="_theirs")
    assert both.height == last_of_tie.height > ROWS * 0.99
    assert both["txn_count"].mean() > 5
    for name in COMPARED:
        mine, other = pl.col(name).cast(pl.Float64), pl.col(f"{name}_theirs").cast(pl.Float64)
        apart = both.filter((mine - other).abs() > 1e-9 * pl.max_horizontal(mine.abs(), pl.lit(1.0)))
        assert apart.is_empty(), f"{name}: {apart.head(3)}"


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
    unfinished = tmp_path / ".unfinished-transaction" / "group=transaction" / "partition=7"
    unfinished.mkdir(parents=True)
    (unfinished / f"{0:020d}-{1:020d}.parquet").write_bytes(b"of a run that was killed")
    backfill(str(tmp_path / "few.parquet"), tmp_path, GROUP.name, Settings(), cores=1)
    assert Dataset(tmp_path, GROUP).scan().collect().height == 10
    with pytest.raises(UserError, match="has records already"):
        backfill(str(tmp_path / "few.parquet"), tmp_path, GROUP.name, Settings())
