"""Files that users bring: one rule for times, numbers as pandas writes them, and one line for what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import tries
from tests.reference import GROUPS
from twinstream.core.rejection import Rejected
from twinstream.errors import UserError
from twinstream.parquet import check_times, event_times, parquet_height, parquet_schema, read_columns, read_records
from twinstream.timestamps import parse_moment

NOON_MS = 1_772_452_800_123
CLICK = {"event_id": "e", "user_id": "u", "session_id": "s", "event_type": "purchase"}


def times_of(column: pl.Series) -> list[int | None]:
    return event_times(column.to_frame(), column.name, Path("a.parquet")).to_list()


def checked(column: pl.Series) -> None:
    frame = column.to_frame()
    check_times(frame, column.name, event_times(frame, column.name, Path("a.parquet")), Path("a.parquet"))


def on_the_stream(text: str) -> int | None:
    try:
        return GROUPS["clickstream"].decode(msgspec.json.encode(CLICK | {"event_time": text}), 0)[1].time_ms
    except Rejected:
        return None


def typed(text: str) -> int | None:
    try:
        return parse_moment(text)
    except UserError:
        return None


time_text = st.builds(
    "{}-{:02}-{:02}{}{:02}:{:02}{}{}{}".format,
    st.sampled_from(("1999", "2000", "2026", "9999")),
    st.integers(1, 12),
    st.integers(1, 31),
    st.sampled_from("Tt _"),
    st.integers(0, 24),
    st.integers(0, 60),
    st.sampled_from(("", ":00", ":59", ":60")),
    st.from_regex(r"([.,][0-9]{0,12})?", fullmatch=True),
    st.sampled_from(("Z", "z", "", "+00", "+01:00", "-0530", "+23:59", "+24:00", " Z")),
)


@tries(300)
@given(time_text | st.text(max_size=30))
@example("2026-03-01T12:00:20.0009999Z")
@example("2026-03-01T12:00:20.9999999Z")
@example("2026-03-01t12:00:20z")
@example("2026-03-01 12:00:20+0100")
@example("2026-03-01T12:00:20+00")
@example("2026-03-01T12:00Z")
def test_a_text_is_the_same_millisecond_on_the_stream_in_a_file_and_on_the_command_line(text: str) -> None:
    expected = on_the_stream(text)
    assert times_of(pl.Series("t", [text, "2026-03-02T12:00:00.123Z"])) == [expected, NOON_MS]
    if not (text.isascii() and text.isdigit()):
        assert typed(text) == expected


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("t", [NOON_MS]),
        pl.Series("t", [float(NOON_MS)]),
        pl.Series("t", ["2026-03-02T12:00:00.123Z"]),
        pl.Series("t", ["2026-03-02T12:00:00.123Z"], dtype=pl.Categorical),
        pl.Series("t", ["2026-03-02T13:00:00.123+01:00"]),
        pl.Series("t", [NOON_MS * 1_000 + 456]).cast(pl.Datetime("us", "Europe/Berlin")),
        pl.Series("t", [NOON_MS * 1_000_000 + 999_999]).cast(pl.Datetime("ns", "Asia/Kolkata")),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_time_is_read_however_a_file_says_it(column: pl.Series) -> None:
    assert times_of(column) == [NOON_MS]


def test_null_is_no_time_and_no_fault() -> None:
    column = pl.Series("t", [float(NOON_MS), None, float("nan")])
    assert times_of(column) == [NOON_MS, None, None]
    checked(column)


@pytest.mark.parametrize("column", [pl.Series("t", [0]).cast(pl.Datetime("ms")), pl.Series("t", [1.5])])
def test_a_column_that_names_no_moment_is_one_line(column: pl.Series) -> None:
    with pytest.raises(UserError, match=r"Column t of a.parquet is .*, which names no moment. Write times with their"):
        times_of(column)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series("t", ["2026-03-02T12:00:00"]), "has '2026-03-02T12:00:00' in row 1; expected a time with its zone"),
        (pl.Series("t", [NOON_MS, NOON_MS // 1000]), "1772452800 in row 2; .* may be in seconds: multiply by 1000"),
        (pl.Series("t", [NOON_MS * 1000]), "from 2000 to 9999. Write 2026-03-01T12:00:00Z, or epoch ms"),
    ],
)
def test_the_first_value_that_is_no_time_is_named(column: pl.Series, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked(column)


def test_whole_numbers_that_pandas_made_floats_are_integers_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns: dict[str, Any] = {"id": ["a", "b", "c"], "whole": [5411.0, None, float("nan")], "part": [0.5, 1.0, 2.0]}
    pl.DataFrame(columns).write_parquet(path)
    frame = read_records(path, ["id"], ["whole", "part"])
    assert frame["whole"].to_list() == [5411, None, None]
    assert frame["part"].to_list() == columns["part"]


@pytest.mark.parametrize("name", ["rows[1]", "rows*", "rows?"])
def test_a_file_s_name_is_no_pattern(name: str, tmp_path: Path) -> None:
    path, other = tmp_path / f"{name}.parquet", tmp_path / "rows1.parquet"
    pl.DataFrame({"id": ["a"]}).write_parquet(path)
    pl.DataFrame({"id": ["of another file"]}).write_parquet(other)
    assert parquet_height(path) == 1
    assert read_columns(path)["id"].to_list() == ["a"]


def test_a_column_that_is_not_used_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame({"id": ["a"], "thumbnail": [b"\xff"]}).write_parquet(path)
    assert read_records(path, ["id"], ["amount"]).columns == ["id"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"other": ["a"]}, "has no column id. It has: other."),
        ({"id": [1]}, "Column id of .*rows.parquet is Int64; expected text."),
        ({"id": ["a"], "amount": [b"1"]}, "Column amount of .*rows.parquet is Binary; expected text, numbers"),
        ({"id": ["a"], "amount": [{"value": b"1"}]}, "Column amount of .* is Struct.*; expected text, numbers"),
    ],
)
def test_columns_that_are_no_records_are_one_line(columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pl.DataFrame(columns).write_parquet(path)
    with pytest.raises(UserError, match=message):
        read_records(path, ["id"], ["amount"])


@pytest.mark.parametrize("read", [parquet_schema, parquet_height, read_columns])
def test_what_is_no_parquet_file_is_one_line(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; expected a Parquet file"):
        read(tmp_path)
    with pytest.raises(UserError, match="There is no file"):
        read(tmp_path / "none.parquet")
    path = tmp_path / "text.parquet"
    path.write_text("id,amount\na,1\n")
    with pytest.raises(UserError, match="text.parquet is no Parquet file, or a damaged one"):
        read(path)
    pl.DataFrame({"id": ["a" * 100] * 100}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="text.parquet is no Parquet file, or a damaged one"):
        read(path)
