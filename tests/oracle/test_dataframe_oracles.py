"""Polars `rolling` and DuckDB `RANGE` windows as oracles that share nothing with ours, on 100 000 payments.

Both let a row see all rows of its own time, so what is compared is the last row of every tie: there ours sees them too.
"""

from random import Random

import duckdb
import polars as pl
import pytest

from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS, payment
from tests.reference import GROUPS
from twinstream.core.state import EntityState, WindowConfig

EVENTS, CARDS = 100_000, 250
SUMS = ("n", "total", "mean", "std", "largest")
DISTINCT = ("merchants", "countries", "devices", "currencies", "declines")
FEATURES = ("distinct_merchants", "distinct_countries", "distinct_devices", "distinct_currencies", "declined_count")


@pytest.fixture(scope="module")
def payments() -> pl.DataFrame:
    """In order of time, with ties in every other second: about 60 per card and window."""
    random = Random(7)
    time_ms = MIDDAY_MS
    rows = []
    for offset in range(EVENTS):
        time_ms += random.choice((0, 0, 1, 17, 40))
        rows.append(
            (
                offset,
                time_ms // 100 * 100 if random.random() < 0.5 else time_ms,
                random.randrange(CARDS),
                random.randrange(100_000),
                random.choice(("EUR", "EUR", "JPY", "KWD")),
                random.random() < 0.1,
                random.choice((None, *"abcdefgh")),
                random.choice((None, "BR", "US", "DE")),
                random.choice(("d1", "d2", "d3")),
            )
        )
    names = ("offset", "t", "card", "amount", "currency", "declined", "merchant", "country", "device")
    return pl.DataFrame(rows, schema=names, orient="row").sort("t", "offset")


@pytest.fixture(scope="module")
def ours(payments: pl.DataFrame) -> pl.DataFrame:
    """The vector emitted at each payment, where it is the last of its card and time; amounts in minor units."""
    states: dict[int, EntityState] = {}
    per_major = {"EUR": 100, "JPY": 1, "KWD": 1000}
    rows = []
    for offset, t, card, amount, currency, declined, merchant, country, device in payments.iter_rows():
        state = states.setdefault(card, EntityState(GROUPS["order"], WindowConfig(WINDOW_MS)))
        event = payment(
            t,
            offset,
            amount_minor=amount,
            currency=currency,
            declined=declined,
            merchant=merchant,
            country=country,
            device=device,
        )
        v = state.insert(event, t - LATENESS_MS)
        major = per_major[currency]
        rows.append(
            (
                *(offset, card, t, v.txn_count),
                *(major * value for value in (v.amount_sum, v.amount_mean, v.amount_std, v.amount_max)),
                *(getattr(v, feature) for feature in FEATURES),
            )
        )
    names = ("offset", "card", "t", *SUMS, *DISTINCT)
    vectors = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return vectors.group_by("card", "t").last()


def by_polars(payments: pl.DataFrame) -> pl.DataFrame:
    period = f"{WINDOW_MS}i"
    counts = payments.rolling("t", period=period, closed="right", group_by="card").agg(
        pl.col("offset").last(),
        pl.len().alias("n"),
        *(
            pl.col(column).drop_nulls().n_unique().alias(name)
            for name, column in zip(DISTINCT[:4], ("merchant", "country", "device", "currency"), strict=True)
        ),
        pl.col("declined").sum().alias("declines"),
    )
    amounts = payments.rolling("t", period=period, closed="right", group_by=["card", "currency"]).agg(
        pl.col("offset").last(),
        pl.col("amount").sum().alias("total"),
        pl.col("amount").mean().alias("mean"),
        pl.col("amount").std(ddof=0).alias("std"),
        pl.col("amount").max().alias("largest"),
    )
    return counts.unique("offset").join(amounts.unique("offset"), on="offset")


def by_duckdb(payments: pl.DataFrame) -> pl.DataFrame:
    before = WINDOW_MS - 1
    table = payments.to_arrow()  # noqa: F841 - DuckDB finds it by its name
    return duckdb.sql(
        f"""
        SELECT "offset",
          count(*) OVER card AS n,
          sum(amount) OVER money AS total, avg(amount) OVER money AS mean,
          stddev_pop(amount) OVER money AS std, max(amount) OVER money AS largest,
          count(DISTINCT merchant) OVER card AS merchants, count(DISTINCT country) OVER card AS countries,
          count(DISTINCT device) OVER card AS devices, count(DISTINCT currency) OVER card AS currencies,
          count(*) FILTER (declined) OVER card AS declines
        FROM "table"
        WINDOW card AS (PARTITION BY card ORDER BY t RANGE BETWEEN {before} PRECEDING AND CURRENT ROW),
          money AS (PARTITION BY card, currency ORDER BY t RANGE BETWEEN {before} PRECEDING AND CURRENT ROW)
        """
    ).pl()


@pytest.mark.parametrize("oracle", [by_polars, by_duckdb])
def test_every_vector_equals_the_oracle(oracle: object, payments: pl.DataFrame, ours: pl.DataFrame) -> None:
    theirs = oracle(payments)  # type: ignore[operator]
    both = ours.join(theirs, on="offset", suffix="_theirs")
    assert len(both) == len(ours) > EVENTS * 0.9
    for name in (*SUMS, *DISTINCT):
        mine, other = pl.col(name).cast(pl.Float64), pl.col(f"{name}_theirs").cast(pl.Float64)
        apart = both.filter((mine - other).abs() > 1e-9 * pl.max_horizontal(mine.abs(), pl.lit(1_000.0)))
        assert apart.is_empty(), f"{name}: {apart.head(3)}"


def test_arrival_out_of_order_ends_in_the_same_vectors(payments: pl.DataFrame, ours: pl.DataFrame) -> None:
    """20 000 payments shuffled within the allowed lateness: every retained moment reads as if they came in order."""
    shuffled = [*payments.head(20_000).iter_rows(named=True)]
    random = Random(8)
    shuffled.sort(key=lambda row: row["t"] + random.randrange(LATENESS_MS))
    states: dict[int, EntityState] = {}
    newest_ms = 0
    for offset, row in enumerate(shuffled):
        state = states.setdefault(row["card"], EntityState(GROUPS["order"], WindowConfig(WINDOW_MS)))
        fields = {name: row[name] for name in ("currency", "declined", "merchant", "country", "device")}
        state.insert(payment(row["t"], offset, amount_minor=row["amount"], **fields), newest_ms - LATENESS_MS)
        newest_ms = max(newest_ms, row["t"])
    expected = {(row["card"], row["t"]): row for row in ours.iter_rows(named=True)}
    compared = 0
    for card, state in states.items():
        for event in state.events:
            if event.time_ms - WINDOW_MS >= state.horizon_ms:
                vector, row = state.vector_at(event.time_ms), expected[card, event.time_ms]
                assert tuple(getattr(vector, feature) for feature in FEATURES) == tuple(row[name] for name in DISTINCT)
                assert vector.txn_count == row["n"]
                compared += 1
    assert compared > 1_000
