"""A data set of fifty thousand payments: its size, its columns and its share of fraud."""

from pathlib import Path

import polars as pl
import pytest

from producers.parquet import generate_dataset
from producers.schema import load_schema

ROWS = 50_000


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return pl.read_parquet(generate_dataset(rows=ROWS, out_dir=tmp_path_factory.mktemp("outputs")))


def test_row_count(frame: pl.DataFrame) -> None:
    assert frame.height == ROWS


def test_schema_match(frame: pl.DataFrame) -> None:
    assert frame.columns == [field.name for field in load_schema("transaction").fields]


def test_class_balance(frame: pl.DataFrame) -> None:
    assert frame["label_fraud"].sum() == round(0.003 * ROWS)


def test_file_carries_size_and_day_in_its_name(tmp_path: Path) -> None:
    assert generate_dataset(ROWS, tmp_path, as_of="2026-11-21").name == "payments_50k_2026-11-21.parquet"
