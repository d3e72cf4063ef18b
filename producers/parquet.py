"""One million card payments as a Parquet file, vectorised: NumPy draws, Polars columns, the same bytes each time.

Times are drawn and sorted first, so that the rows are made in the order in which they are written, a chunk at a time.
Text comes from pools that rows point into, which is what keeps memory and file small. ADR 6 has the reasons.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from producers.datasets import dataset_path
from producers.records import parse_ms
from producers.schema import Dataset, load_schema
from producers.world.merchants import Directory
from producers.world.people import BRANDS, PAYMENT_METHODS, public_ip
from producers.world.places import CITIES, COUNTRIES, DECIMALS, UNITS_PER_USD
from twinstream.errors import UserError
from twinstream.parquet import write_parquet

CHUNK_ROWS = 100_000
ROW_GROUP_ROWS = 2_000_000
"""About 100 MB in the file: one row group of up to 128 MB."""

CARDS = 40_000
ADDRESSES = 20_000
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_EVENING_HOUR, _EVENING_SPREAD = 18.0, 3.0

Rng = np.random.Generator
Ints = npt.NDArray[np.int64]
OnRows = Callable[[int], None]
"""Told the number of rows made so far."""


class Pools:
    """What rows point into: every card, merchant, country and address once, as NumPy columns and text."""

    def __init__(self, seed: int, rows: int) -> None:
        random, rng = Random(f"{seed}/pools"), np.random.Generator(np.random.PCG64(seed))
        self.cards = cards = max(50, min(CARDS, rows // 10))
        shares = np.array([country.weight for country in COUNTRIES])
        self.card_country = rng.choice(len(COUNTRIES), cards, p=shares / shares.sum())
        self.card_spending = np.exp(rng.normal(0.0, 0.45, cards))
        self.card_age = (1 + rng.exponential(900.0, cards).clip(0, 20_000)).astype(np.int32)
        self.card_text = {
            "card_id": [f"card_{number:08d}" for number in range(cards)],
            "card_brand": _drawn(BRANDS, cards, random),
            "card_last4": [f"{number:04d}" for number in rng.integers(0, 10_000, cards).tolist()],
            "account_id": [f"ACC-{number:08d}" for number in rng.choice(10**8, cards, replace=False).tolist()],
            "user_id": [f"user_{number:09d}" for number in range(cards)],
            "payment_method": _drawn(PAYMENT_METHODS, cards, random),
            "device_id": [f"dev_{number:012x}" for number in rng.integers(0, 2**48, cards).tolist()],
        }
        directory = Directory(random, per_category=1)
        merchants = [*directory.online]
        for city in CITIES:
            merchants += directory.by_city[city.name] + directory.atms[city.name]
        self.merchants = len(merchants)
        self.merchant_median = np.array([merchant.category.median_usd for merchant in merchants])
        self.merchant_spread = np.array([merchant.category.spread for merchant in merchants])
        self.merchant_mcc = np.array([merchant.category.mcc for merchant in merchants], np.int32)
        self.merchant_text = {
            "merchant_id": [merchant.merchant_id for merchant in merchants],
            "merchant_name": [merchant.name for merchant in merchants],
            "channel": [merchant.category.channel for merchant in merchants],
        }
        weights = np.array([merchant.category.weight * (12 if merchant.city is None else 1) for merchant in merchants])
        self.merchant_cumulative = np.cumsum(weights / weights.sum())
        self.units = np.array([UNITS_PER_USD[country.currency] for country in COUNTRIES])
        self.scale = np.array([10.0 ** DECIMALS.get(country.currency, 2) for country in COUNTRIES])
        self.latitude = np.array([country.latitude for country in COUNTRIES])
        self.longitude = np.array([country.longitude for country in COUNTRIES])
        self.offset_ms = np.array([country.utc_offset_hours * _HOUR_MS for country in COUNTRIES], np.int64)
        self.country_text = {
            "country": [country.code for country in COUNTRIES],
            "city": [next(city.name for city in CITIES if city.country == country.code) for country in COUNTRIES],
            "currency": [country.currency for country in COUNTRIES],
        }
        self.addresses = [public_ip(random) for _ in range(ADDRESSES)]


class Plan:
    """What is decided for all rows before any is made: times in order, whose card, fraud and nulls in exact numbers."""

    def __init__(self, rows: int, as_of_ms: int, rng: Rng, pools: Pools, promise: Dataset) -> None:
        cards = rng.integers(0, pools.cards, rows, dtype=np.int32)
        span_ms = promise.days * _DAY_MS
        hours = rng.normal(_EVENING_HOUR, _EVENING_SPREAD, rows).astype(np.float32)
        times = rng.integers(0, promise.days, rows) * _DAY_MS + (hours * _HOUR_MS).astype(np.int64)
        times -= pools.offset_ms[pools.card_country[cards]]
        times %= span_ms
        times += as_of_ms - span_ms
        order = np.argsort(times, kind="stable")
        self.times: Ints = times[order]
        self.cards = cards[order]
        self.fraud = _mask(rows, promise.fraud_rate, rng)
        self.no_device = _mask(rows, promise.null_rates["device_id"], rng)
        self.no_mcc = _mask(rows, promise.null_rates["mcc_code"], rng)
        self.no_place = _mask(rows, promise.null_rates["latitude"], rng)


def generate_dataset(
    rows: int = 1_000_000,
    out_dir: str | Path = "outputs",
    *,
    seed: int = 42,
    as_of: str | datetime | None = None,
    on_rows: OnRows | None = None,
) -> Path:
    """Write `rows` payments of the 30 days before `as_of` (default today 00:00 UTC) and return the file's path.

    The same rows, seed and as-of give the same bytes. The file is never overwritten: a second one of a day gets `_2`.
    """
    if rows < 1:
        raise UserError(f"--rows is {rows}; expected a whole number above 0.")
    moment = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) if as_of is None else as_of
    as_of_ms = parse_ms(moment)
    frame = make_frame(rows, seed=seed, as_of_ms=as_of_ms, on_rows=on_rows)
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".payments-{os.getpid()}.parquet"
        try:
            write_parquet(frame, unfinished, compression="snappy", statistics=True, row_group_size=ROW_GROUP_ROWS)
            path = dataset_path(folder, rows, datetime.fromtimestamp(as_of_ms / 1000, UTC))
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written to ({error.strerror or error}). Choose another folder with --out."
        ) from None
    return path


def make_frame(rows: int, *, seed: int, as_of_ms: int, on_rows: OnRows | None = None) -> pl.DataFrame:
    """The payments as a frame with the 24 columns of the transaction schema, ordered by time."""
    schema = load_schema("transaction")
    assert schema.dataset is not None
    rng = np.random.Generator(np.random.PCG64(seed))
    pools = Pools(seed, rows)
    plan = Plan(rows, as_of_ms, rng, pools, schema.dataset)
    columns = Columns(pools, f"pay_{datetime.fromtimestamp(as_of_ms / 1000, UTC):%Y%m%d}_")
    names = [field.name for field in schema.fields]
    chunks = []
    for start in range(0, rows, CHUNK_ROWS):
        stop = min(rows, start + CHUNK_ROWS)
        chunks.append(columns.chunk(plan, start, stop, rng).select(names))
        if on_rows is not None:
            on_rows(stop)
    return columns.with_text(pl.concat(chunks, rechunk=False))


class Columns:
    """Makes the columns of one chunk after the other; a text column is numbers into its pool until all are made."""

    def __init__(self, pools: Pools, id_prefix: str) -> None:
        self._pools = pools
        self._id_prefix = id_prefix
        texts = pools.card_text | pools.merchant_text | pools.country_text | {"ip_address": pools.addresses}
        texts["auth_result"] = ["approved", "declined"]
        self._texts: dict[str, pl.Series] = {}
        self._numbers: dict[str, npt.NDArray[np.unsignedinteger[Any]]] = {}
        for name, pool in texts.items():
            distinct = list(dict.fromkeys(pool))
            position = {text: number for number, text in enumerate(distinct)}
            self._texts[name] = pl.Series(name, distinct, pl.Categorical)
            small = np.uint8 if len(distinct) <= 255 else np.uint16 if len(distinct) <= 65_535 else np.uint32
            self._numbers[name] = np.array([position[text] for text in pool], small)

    def with_text(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame of all chunks with the texts that its numbers point to."""
        return frame.with_columns(texts.gather(frame[name]) for name, texts in self._texts.items())

    def chunk(self, plan: Plan, start: int, stop: int, rng: Rng) -> pl.DataFrame:
        """Rows `start` to `stop`, texts still as numbers."""
        pools, size = self._pools, stop - start
        card, fraud = plan.cards[start:stop], plan.fraud[start:stop]
        merchant = np.searchsorted(pools.merchant_cumulative, rng.random(size)).clip(0, pools.merchants - 1)
        home = pools.card_country[card]
        country = np.where(fraud & (rng.random(size) < 0.6), rng.integers(0, len(COUNTRIES), size), home)
        usd = pools.merchant_median[merchant] * pools.card_spending[card]
        usd *= np.exp(rng.standard_normal(size) * pools.merchant_spread[merchant])
        usd[fraud] *= rng.uniform(0.05, 6.0, int(fraud.sum()))
        scale = pools.scale[country]
        amount = np.maximum(np.round(usd * pools.units[country] * scale), 1.0) / scale
        declined = (rng.random(size) < np.where(fraud, 0.3, 0.03)).astype(np.uint32)
        latitude = np.round(pools.latitude[country] + rng.uniform(-0.5, 0.5, size), 6)
        longitude = np.round(pools.longitude[country] + rng.uniform(-0.5, 0.5, size), 6)
        device = np.where(fraud & (rng.random(size) < 0.7), rng.integers(0, pools.cards, size), card)
        online = self._numbers["channel"][merchant] == self._numbers["channel"][0]
        somewhere = ~plan.no_place[start:stop]
        series = [
            self._ids(start, stop),
            pl.Series("event_time", plan.times[start:stop]).cast(pl.Datetime("ms", "UTC")),
            *(self._text(name, card) for name in self._pools.card_text if name != "device_id"),
            pl.Series("account_age_days", pools.card_age[card]),
            pl.Series("amount", amount),
            *(self._text(name, merchant) for name in self._pools.merchant_text),
            _nulled(pl.Series("mcc_code", pools.merchant_mcc[merchant]), plan.no_mcc[start:stop]),
            pl.Series("card_present", ~online),
            *(self._text(name, country) for name in self._pools.country_text),
            _nulled(pl.Series("latitude", latitude), ~somewhere),
            _nulled(pl.Series("longitude", longitude), ~somewhere),
            _nulled(self._text("device_id", device), plan.no_device[start:stop]),
            self._text("ip_address", rng.integers(0, ADDRESSES, size)),
            self._text("auth_result", declined),
            pl.Series("label_fraud", fraud),
        ]
        return pl.DataFrame(series)

    def _text(self, name: str, rows: npt.NDArray[np.integer[Any]]) -> pl.Series:
        return pl.Series(name, self._numbers[name][rows])

    def _ids(self, start: int, stop: int) -> pl.Series:
        numbers = pl.int_range(start, stop, eager=True).cast(pl.String).str.zfill(9)
        return (self._id_prefix + numbers).alias("transaction_id")


def _drawn(table: tuple[tuple[str, float], ...], size: int, random: Random) -> list[str]:
    return random.choices([choice for choice, _ in table], [weight for _, weight in table], k=size)


def _nulled(series: pl.Series, missing: npt.NDArray[np.bool_]) -> pl.Series:
    """The series without the values that are to be missing."""
    return series.zip_with(pl.Series(~missing), pl.Series(series.name, [None], dtype=series.dtype))


def _mask(rows: int, share: float, rng: Rng) -> npt.NDArray[np.bool_]:
    """True for exactly `round(share × rows)` rows, anywhere."""
    mask = np.zeros(rows, np.bool_)
    mask[rng.choice(rows, round(share * rows), replace=False, shuffle=False)] = True
    return mask
