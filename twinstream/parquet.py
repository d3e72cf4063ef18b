"""Parquet files that users bring: what is not as it must be is one line that names file, column and what was expected.

Only the columns that are asked for are read; what stands in the others is nobody's concern.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl
import polars.selectors as cs

from twinstream.core.fields import MAX_TIME_MS, MIN_TIME_MS
from twinstream.core.times import parse_times
from twinstream.errors import UserError

_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_EXACT = 2**53
"""Below it, a float holds every whole number."""


@contextmanager
def told_if_unreadable(path: Path) -> Iterator[None]:
    """A block that reads `path`, or files in it; that they are no Parquet files is one line.

    Raises:
        UserError: so it is.
    """
    try:
        yield
    except PermissionError:
        raise UserError(f"{path} may not be read. Check who owns it, and its permissions.") from None
    except _UNREADABLE:
        raise UserError(f"{path} is no Parquet file, or a damaged one.") from None


def write_parquet(frame: pl.DataFrame, target: Path | IO[bytes], **options: Any) -> None:
    """Write a frame as Parquet.

    Raises:
        OSError: it cannot be written; Polars itself calls a full disk a file out of specification.
    """
    try:
        frame.write_parquet(target, **options)
    except pl.exceptions.ComputeError as fault:
        raise OSError(str(fault).rpartition("IO error: ")[2]) from None


def parquet_schema(path: Path) -> pl.Schema:
    """Names and types of a file's columns.

    Raises:
        UserError: there is no such file, or it is no Parquet file.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; expected a Parquet file.")
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    with told_if_unreadable(path):
        return pl.scan_parquet(path, glob=False).collect_schema()


def parquet_height(path: Path) -> int:
    """How many rows a file has.

    Raises:
        UserError: as of `parquet_schema`.
    """
    parquet_schema(path)
    with told_if_unreadable(path):
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


def read_columns(path: Path, names: Collection[str] | None = None, rows: int | None = None) -> pl.DataFrame:
    """A file's columns of these names, as far as it has them; by default all columns and all rows.

    Raises:
        UserError: as of `parquet_schema`.
    """
    kept = [name for name in parquet_schema(path) if names is None or name in names]
    with told_if_unreadable(path):
        return pl.read_parquet(path, columns=kept, n_rows=rows, glob=False)


def read_records(path: Path, required: Sequence[str], also: Collection[str], rows: int | None = None) -> pl.DataFrame:
    """A file's rows as the engine's records, ready to be written as JSON.

    Whole numbers that stand as floats (pandas makes floats of integers where some are missing) are integers again.

    Args:
        path: of the file.
        required: names of text columns that must be there.
        also: other columns that are read where they are there.
        rows: only so many of the first.

    Raises:
        UserError: there is no such file, a column is missing, or one has what no JSON can say.
    """
    schema = parquet_schema(path)
    for name in required:
        if name not in schema:
            raise UserError(f"{path} has no column {name}. It has: {', '.join(schema)}.")
        if not isinstance(schema[name], (pl.String, pl.Categorical, pl.Enum, pl.Null)):
            raise UserError(f"Column {name} of {path} is {schema[name]}; expected text.")
    for name, kind in schema.items():
        if name in also and not _is_json(kind):
            raise UserError(f"Column {name} of {path} is {kind}; expected text, numbers or true and false.")
    frame = read_columns(path, {*required, *also}, rows).with_columns(
        cs.by_dtype(pl.Categorical, pl.Enum).cast(pl.String)
    )
    whole = [name for name in frame.select(cs.float()).columns if _is_whole(frame[name])]
    return frame.with_columns(pl.col(whole).fill_nan(None).cast(pl.Int64))


def event_times(frame: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """A column of times as epoch ms; null where there is none, or one that the stream would not take either.

    Numbers are epoch ms; text is read by the stream's parser; times may have any zone, and are cut to milliseconds.

    Raises:
        UserError: the column is missing, or of a kind that names no moment, such as times without a zone.
    """
    if column not in frame.columns:
        raise UserError(f"{path} has no column {column}. It has: {', '.join(frame.columns)}.")
    times, kind = frame[column], frame.schema[column]
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        times, kind = times.cast(pl.String), pl.String()
    if kind.is_float() and _is_whole(times):
        times = times.fill_nan(None).cast(pl.Int64)
    elif isinstance(kind, pl.String):
        times = pl.Series(column, parse_times(times.to_list()), dtype=pl.Int64)
    elif isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        times = times.dt.epoch("ms")
    elif not kind.is_integer() and not isinstance(kind, pl.Null):
        raise UserError(
            f"Column {column} of {path} is {kind}, which names no moment. Write times with their zone, or as epoch ms."
        )
    times = times.cast(pl.Int64, strict=False)
    return times.set(~times.is_between(MIN_TIME_MS, MAX_TIME_MS), None)


def check_times(frame: pl.DataFrame, column: str, times: pl.Series, path: Path) -> None:
    """See that each value of a column was read as a time; null may be null.

    Raises:
        UserError: one was not; it is named.
    """
    values = frame[column].fill_nan(None) if frame.schema[column].is_float() else frame[column]
    wrong = frame.select(pl.row_index("row"), values.alias("value")).filter(values.is_not_null() & times.is_null())
    if wrong.is_empty():
        return
    row, value = wrong.row(0)
    seconds = isinstance(value, (int, float)) and MIN_TIME_MS <= value * 1000 <= MAX_TIME_MS
    hint = "It may be in seconds: multiply by 1000." if seconds else "Write 2026-03-01T12:00:00Z, or epoch ms."
    raise UserError(
        f"Column {column} of {path} has {value!r} in row {row + 1}; expected a time with its zone, from 2000 to 9999. "
        + hint
    )


def _is_whole(column: pl.Series) -> bool:
    values = column.drop_nulls().drop_nans()
    return bool(((values == values.floor()) & (values.abs() < _EXACT)).all())


def _is_json(kind: pl.DataType) -> bool:
    """Whether Polars can write a type as the JSON that a record has."""
    if isinstance(kind, pl.Struct):
        return all(_is_json(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    if isinstance(kind, (pl.List, pl.Array)):
        return _is_json(kind.inner)  # type: ignore[arg-type]
    return not isinstance(kind, (pl.Binary, pl.Object, pl.Duration, pl.Time, pl.Unknown))
