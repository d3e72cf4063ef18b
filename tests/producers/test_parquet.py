"""Generated Parquet files: exact shares, the same bytes, names, and the checks of `validate`."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pyarrow.parquet
import pytest
from scipy.stats import chisquare

from producers.commands.parquet import validate
from producers.datasets import dataset_path, newest_dataset
from producers.parquet import generate_dataset, make_frame
from producers.profiling import SAMPLE_ROWS, as_pandas, sample
from producers.records import encode
from producers.schema import load_schema
from producers.validate import validate_file
from producers.world.places import COUNTRIES
from tests.producers.conftest import ROOT, START_MS
from tests.reference import BY_TOPIC
from twinstream.errors import UserError

ROWS = 250_000
AS_OF = "2026-11-21"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a quarter of a million rows: three chunks."""
    return generate_dataset(ROWS, tmp_path_factory.mktemp("outputs"), as_of=AS_OF)


@pytest.fixture(scope="module")
def frame(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path)


def test_columns_are_the_schema_s_in_order(frame: pl.DataFrame) -> None:
    assert frame.columns == [field.name for field in load_schema("transaction").fields]
    assert frame.height == ROWS
    assert frame.schema["mcc_code"] == pl.Int32


def test_fraud_and_nulls_have_their_exact_shares(frame: pl.DataFrame) -> None:
    assert frame["label_fraud"].sum() == round(0.003 * ROWS)
    assert frame["device_id"].null_count() == round(0.08 * ROWS)
    assert frame["mcc_code"].null_count() == round(0.05 * ROWS)
    assert frame["latitude"].null_count() == round(0.01 * ROWS)
    assert (frame["latitude"].is_null() == frame["longitude"].is_null()).all()


def test_rows_are_of_the_last_thirty_days_in_order(frame: pl.DataFrame) -> None:
    times = frame["event_time"]
    end = datetime(2026, 11, 21, tzinfo=UTC)
    assert times.is_sorted()
    assert times[0] >= end - timedelta(days=30)
    assert times[-1] < end


def test_local_hours_are_normal_around_six_in_the_evening(frame: pl.DataFrame) -> None:
    german = frame.filter((pl.col("country") == "DE") & ~pl.col("label_fraud"))["event_time"]
    hours = (german.dt.hour().cast(pl.Int32) + german.dt.minute() / 60 + 1 - 18 + 12) % 24 - 12
    assert hours.mean() == pytest.approx(0, abs=0.1)
    assert hours.std() == pytest.approx(3, abs=0.15)


def test_places_are_around_the_country_s_centroid_with_six_decimals(frame: pl.DataFrame) -> None:
    located = frame.drop_nulls("latitude")
    for country in COUNTRIES:
        rows = located.filter(pl.col("country") == country.code)
        assert (rows["latitude"] - country.latitude).abs().max() <= 0.5 + 1e-9
        assert (rows["longitude"] - country.longitude).abs().max() <= 0.5 + 1e-9
    assert (located["latitude"].round(6) == located["latitude"]).all()


def test_countries_follow_their_weights(frame: pl.DataFrame) -> None:
    cards = frame.filter(~pl.col("label_fraud")).unique("card_id")["country"].cast(pl.String).value_counts()
    counts = dict(cards.iter_rows())
    total = sum(country.weight for country in COUNTRIES)
    expected = [country.weight / total * sum(counts.values()) for country in COUNTRIES]
    assert chisquare([counts[country.code] for country in COUNTRIES], expected).pvalue > 0.001


def test_addresses_are_public(frame: pl.DataFrame) -> None:
    assert all(ip_address(address).is_global for address in frame["ip_address"].cast(pl.String).unique())


def test_every_row_decodes_in_the_feature_engine(frame: pl.DataFrame) -> None:
    decode = BY_TOPIC["transactions"].decode
    for row in frame.gather_every(100).iter_rows(named=True):
        entity, _ = decode(encode(row), 0)
        assert entity == row["card_id"]


def test_file_is_snappy_in_one_row_group_with_statistics(path: Path) -> None:
    metadata = pyarrow.parquet.ParquetFile(path).metadata
    assert metadata.num_row_groups == 1
    column = metadata.row_group(0).column(1)
    assert column.compression == "SNAPPY"
    assert column.is_stats_set


def test_schema_of_the_file_is_short_and_holds_no_pool_of_texts(path: Path, frame: pl.DataFrame) -> None:
    assert len(str(frame.schema)) < 1_000
    assert pyarrow.parquet.ParquetFile(path).metadata.serialized_size < 10_000


def test_same_rows_seed_and_as_of_give_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    here = generate_dataset(120_000, tmp_path / "a", as_of=AS_OF).read_bytes()
    call = f"generate_dataset(120_000, {str(tmp_path / 'b')!r}, as_of={AS_OF!r})"
    script = f"from producers.parquet import generate_dataset; {call}"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env={"PYTHONPATH": str(ROOT)})
    (there,) = (tmp_path / "b").glob("*.parquet")
    assert hashlib.sha256(here).digest() == hashlib.sha256(there.read_bytes()).digest()


def test_another_seed_or_as_of_gives_other_rows() -> None:
    frames = [make_frame(200, seed=seed, as_of_ms=as_of) for seed, as_of in ((1, START_MS), (2, START_MS), (1, 10**12))]
    assert not frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])


def test_second_file_of_a_day_is_numbered(tmp_path: Path) -> None:
    names = [generate_dataset(1_000, tmp_path, as_of=AS_OF).name for _ in range(3)]
    assert names == [f"payments_1k_2026-11-21{number}.parquet" for number in ("", "_2", "_3")]
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    ("rows", "label"), [(1, "1"), (999, "999"), (50_000, "50k"), (1_500_000, "1500k"), (2_000_000, "2M")]
)
def test_names_carry_the_size(tmp_path: Path, rows: int, label: str) -> None:
    day = datetime(2026, 3, 4, tzinfo=UTC)
    assert dataset_path(tmp_path, rows, day).name == f"payments_{label}_2026-03-04.parquet"


def test_newest_file_of_a_day_is_the_highest_number(tmp_path: Path) -> None:
    day = datetime(2026, 3, 4, tzinfo=UTC)
    assert newest_dataset(tmp_path, 1_000, day) is None
    for suffix in ("", "_2", "_10"):
        (tmp_path / f"payments_1k_2026-03-04{suffix}.parquet").touch()
    newest = newest_dataset(tmp_path, 1_000, day)
    assert newest is not None
    assert newest.name == "payments_1k_2026-03-04_10.parquet"


@pytest.mark.parametrize("rows", [1, 2, 99, 1_000, 100_001])
def test_files_of_any_size_pass_validation(tmp_path: Path, rows: int) -> None:
    failed = [check for check in validate_file(generate_dataset(rows, tmp_path)) if not check.passed]
    assert failed == []


@pytest.mark.parametrize(
    ("damage", "subject"),
    [
        (lambda frame: frame.drop("city"), "columns"),
        (lambda frame: frame.with_columns(extra=pl.lit(1)), "columns"),
        (lambda frame: frame.with_columns(pl.col("mcc_code").cast(pl.Int64)), "mcc_code type"),
        (lambda frame: frame.with_columns(latitude=pl.lit(91.0)), "latitude range"),
        (lambda frame: frame.with_columns(amount=pl.lit(float("nan"))), "amount range"),
        (lambda frame: frame.with_columns(currency=pl.lit("usd")), "currency pattern"),
        (lambda frame: frame.with_columns(channel=pl.lit("fax")), "channel set"),
        (lambda frame: frame.with_columns(city=pl.lit("x" * 1_025)), "city length"),
        (lambda frame: frame.with_columns(card_id=pl.lit(None, pl.String)), "card_id nulls"),
        (lambda frame: frame.with_columns(label_fraud=pl.lit(False)), "fraud rows"),
        (lambda frame: frame.with_columns(device_id=pl.lit("d")), "device_id null rate"),
        (lambda frame: frame.with_columns(longitude=pl.lit(1.0)), "coordinates"),
        (lambda frame: frame.with_columns(ip_address=pl.lit("10.1.2.3")), "ip_address"),
        (lambda frame: frame.with_columns(transaction_id=pl.lit("same")), "transaction_id unique"),
        (lambda frame: frame.reverse(), "row order"),
    ],
)  # fmt: skip
def test_each_damage_is_found(
    frame: pl.DataFrame, tmp_path: Path, damage: Callable[[pl.DataFrame], pl.DataFrame], subject: str
) -> None:
    file = tmp_path / "damaged.parquet"
    damage(frame.head(5_000)).write_parquet(file)
    assert subject in {check.subject for check in validate_file(file) if not check.passed}


def test_validate_shows_a_table_and_fails_on_any_failure(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate([path])
    assert "0 failed" in capsys.readouterr().out
    bad = tmp_path / "bad.parquet"
    pl.DataFrame({"amount": [1.0]}).write_parquet(bad)
    figures = tmp_path / "figures.json"
    assert not validate([path, bad], str(figures))
    assert "FAILED" in capsys.readouterr().out
    assert '"passed": false' in figures.read_text()


def test_missing_and_foreign_files_are_one_line(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.parquet"
    foreign.write_text("not parquet")
    for check in (validate_file, sample):
        with pytest.raises(UserError, match="is not there. Generate one with"):
            check(tmp_path / "none.parquet")
        with pytest.raises(UserError, match="is no Parquet file"):
            check(foreign)


def test_a_file_whose_pages_are_damaged_is_one_line(tmp_path: Path) -> None:
    whole = generate_dataset(2_000, tmp_path)
    content = bytearray(whole.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
    whole.write_bytes(content)
    with pytest.raises(UserError, match="is no Parquet file, or a damaged one"):
        validate_file(whole)
    with pytest.raises(UserError, match="is a folder; expected a Parquet file"):
        validate_file(tmp_path)


def test_a_file_without_rows_is_checked_all_the_same_but_not_profiled(tmp_path: Path) -> None:
    file = tmp_path / "empty.parquet"
    pl.read_parquet(generate_dataset(50, tmp_path)).clear().write_parquet(file)
    assert all(check.passed for check in validate_file(file))
    with pytest.raises(UserError, match="has no rows"):
        sample(file)


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written to"):
        generate_dataset(10, tmp_path / "file")


def test_no_rows_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--rows is 0; expected a whole number above 0"):
        generate_dataset(0, tmp_path)


def test_sample_has_a_hundred_thousand_random_rows_the_same_each_time(path: Path, frame: pl.DataFrame) -> None:
    rows = sample(path)
    assert rows.height == SAMPLE_ROWS
    assert rows["event_time"].is_sorted()
    assert rows.equals(sample(path))
    gaps = rows["transaction_id"].str.tail(9).cast(pl.Int32).diff().drop_nulls()
    assert gaps.n_unique() > 10  # every other row, say, would see nothing of a pattern of even length


def test_small_file_is_profiled_whole(tmp_path: Path) -> None:
    assert sample(generate_dataset(1_000, tmp_path)).height == 1_000


def test_profile_sees_times_in_nanoseconds_and_repeated_texts_and_codes_as_categories(path: Path) -> None:
    types = as_pandas(sample(path)).dtypes.astype(str).to_dict()
    assert types["event_time"] == "datetime64[ns]"
    assert {types[name] for name in ("card_brand", "merchant_name", "country", "device_id", "mcc_code")} == {"category"}
    assert types["transaction_id"] == "object"
    assert types["amount"] == "float64"


def test_a_column_of_another_kind_fails_its_check_and_only_that(tmp_path: Path) -> None:
    path = generate_dataset(100, tmp_path, as_of="2026-11-21")
    texts = pl.col("amount").cast(pl.String), pl.col("merchant_id").cast(pl.String).cast(pl.Binary)
    pl.read_parquet(path).with_columns(*texts).write_parquet(path)
    failed = {check.subject for check in validate_file(path) if not check.passed}
    assert failed == {"amount type", "merchant_id type"}


def test_a_file_that_cannot_be_profiled_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"photo": [b"x"]}).write_parquet(path)
    with pytest.raises(UserError, match="Column photo of .*rows.parquet is Binary; expected text, numbers"):
        sample(path)
    with pytest.raises(UserError, match="is a folder; expected a Parquet file"):
        sample(tmp_path)
