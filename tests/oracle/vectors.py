"""What Polars `rolling` and DuckDB `RANGE BETWEEN` make of payments, to be compared with backfilled vectors.

Both let a row see all rows of its own time, so what is compared is the last row of every tie: there ours sees them too.
"""

from pathlib import Path

import duckdb
import polars as pl

from features.money import minor_per_major

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


def payments_in_order(file: Path) -> pl.DataFrame:
    """The payments of a file by time, then id, with `t` in ms and amounts as `minor` units, `scale` of them to one."""
    frame = pl.read_parquet(file)
    scales = {name: minor_per_major(name) for name in frame["currency"].unique().to_list()}
    scale = pl.col("currency").replace_strict(scales)
    minor = (pl.col("amount").cast(pl.Float64) * scale).round(0).cast(pl.Int64)
    declined = (pl.col("auth_result") == "declined").fill_null(False)
    return frame.with_columns(
        pl.col("event_time").dt.epoch("ms").alias("t"),
        minor.alias("minor"),
        scale.alias("scale"),
        declined.alias("declined"),
    ).sort("t", "transaction_id")


def by_polars(rows: pl.DataFrame, window_ms: int) -> pl.DataFrame:
    """Polars' answer, by `transaction_id`."""
    period = f"{window_ms}i"
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


def by_duckdb(rows: pl.DataFrame, window_ms: int) -> pl.DataFrame:
    """DuckDB's answer, by `transaction_id`."""
    table = rows.to_arrow()  # noqa: F841 - DuckDB finds it by its name
    reach = f"RANGE BETWEEN {window_ms - 1} PRECEDING AND CURRENT ROW"
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


def differences(vectors: pl.DataFrame, theirs: pl.DataFrame) -> tuple[int, dict[str, int]]:
    """How many vectors were compared, and by feature in how many the two are apart by more than rounding."""
    last_of_tie = vectors.sort("offset").group_by("entity", "event_time").last()
    both = last_of_tie.join(theirs, left_on="event_id", right_on="transaction_id", suffix="_theirs")
    assert both.height == last_of_tie.height
    apart = {}
    for name in COMPARED:
        mine, other = pl.col(name).cast(pl.Float64), pl.col(f"{name}_theirs").cast(pl.Float64)
        bound = 1e-9 * pl.max_horizontal(mine.abs(), pl.lit(1.0))
        apart[name] = both.filter(((mine - other).abs() > bound) | (mine.is_null() != other.is_null())).height
    return both.height, apart
