"""An HTML profile of a generated file, by ydata-profiling, of a sample of its rows."""

import logging
import os
import warnings
from pathlib import Path

import polars as pl

from runtime.errors import UserError

SAMPLE_ROWS = 100_000
MAX_BYTES = 5_000_000


def sample(path: Path, rows: int = SAMPLE_ROWS) -> pl.DataFrame:
    """Evenly spaced rows of a file: at most `rows`, the same each time."""
    if not path.is_file():
        raise UserError(f'{path} is not there. Generate one with "python -m producers parquet".')
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError:
        raise UserError(f'{path} is no Parquet file. Give one that "python -m producers parquet" wrote.') from None
    return frame.gather_every(max(1, -(-frame.height // rows)))


def write_profile(path: Path) -> Path:
    """Write `<file>.html` beside the file and return it; it is at most 5 MB."""
    frame = sample(path)
    html = path.with_suffix(".html")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in ("matplotlib", "ydata_profiling", "visions"):
            logging.getLogger(library).setLevel("ERROR")
        os.environ.setdefault("TQDM_DISABLE", "1")
        try:
            from ydata_profiling import ProfileReport
        except ImportError:
            raise UserError('ydata-profiling is not installed. Install it with "make data".') from None
        columns = frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)).to_pandas()
        small_plots = {"image_format": "png", "dpi": 80}
        report = ProfileReport(columns, title=path.stem, minimal=True, progress_bar=False, plot=small_plots)
        report.to_file(html, silent=True)
    if html.stat().st_size > MAX_BYTES:
        raise UserError(f"{html} has {html.stat().st_size / 1e6:.1f} MB, more than 5. Profile fewer columns.")
    return html
