"""An HTML profile of a generated file, by ydata-profiling, of a sample of its rows."""

import logging
import os
import warnings
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import polars.selectors as cs

from twinstream.errors import UserError
from twinstream.files import told_if_unwritable
from twinstream.packages import remedy
from twinstream.parquet import parquet_schema, read_columns

SAMPLE_ROWS = 100_000
SEED = 42
MAX_BYTES = 5_000_000
CODES = ("mcc_code",)
"""Columns of numbers that are names: an average of them means nothing."""


def sample(path: Path, rows: int = SAMPLE_ROWS) -> pl.DataFrame:
    """Random rows of a file in its order: at most `rows`, the same ones each time."""
    if not path.exists():
        raise UserError(f'{path} is not there. Generate one with "python -m producers parquet".')
    for name, kind in parquet_schema(path).items():
        if kind.is_nested() or isinstance(kind, (pl.Binary, pl.Object, pl.Time, pl.Duration)):
            raise UserError(f"Column {name} of {path} is {kind}; expected text, numbers, times or true and false.")
    frame = read_columns(path)
    if frame.is_empty():
        raise UserError(f"{path} has no rows. There is nothing to profile.")
    if frame.height <= rows:
        return frame
    return frame[sorted(Random(SEED).sample(range(frame.height), rows))]


def profile_path(path: Path) -> Path:
    """Where the profile of a file goes.

    >>> profile_path(Path("outputs/payments_1M_2026-11-21.parquet")).as_posix()
    'outputs/profile_1M_2026-11-21.html'
    """
    return path.with_name(f"profile_{path.stem.removeprefix('payments_')}.html")


def as_pandas(frame: pl.DataFrame) -> Any:
    """The frame as pandas has to see it to be profiled rightly.

    Texts that repeat are categories, which get bars; other texts would get clouds of words. Times are in nanoseconds:
    the library takes any other unit for them.
    """
    codes = cs.by_name(*CODES, require_all=False)
    frame = frame.with_columns(
        (cs.enum() | cs.categorical() | codes).cast(pl.String),
        cs.datetime().dt.replace_time_zone(None).dt.cast_time_unit("ns"),
    )
    repeated = [name for name in frame.select(cs.string()).columns if frame[name].n_unique() <= frame.height / 2]
    return frame.with_columns(pl.col(repeated).cast(pl.Categorical)).to_pandas()


def write_profile(path: Path) -> Path:
    """Write `profile_….html` beside the file and return it; it is at most 5 MB."""
    frame = sample(path)
    html = profile_path(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in ("matplotlib", "ydata_profiling", "visions"):
            logging.getLogger(library).setLevel("ERROR")
        os.environ.setdefault("TQDM_DISABLE", "1")
        try:
            from ydata_profiling import ProfileReport
        except ImportError:
            raise UserError(remedy("ydata_profiling")) from None
        report = ProfileReport(
            as_pandas(frame),
            title=html.stem,
            minimal=True,
            progress_bar=False,
            plot={"image_format": "png", "dpi": 80},
            vars={"text": {"words": False, "characters": False, "length": False}},
        )
        with told_if_unwritable(html):
            report.to_file(html, silent=True)
    if html.stat().st_size > MAX_BYTES:
        raise UserError(f"{html} has {html.stat().st_size / 1e6:.1f} MB, more than 5. Profile fewer columns.")
    return html
