"""Names of generated files, here and in S3: by size, by day, and numbered when a day has several."""

from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path


def size_label(rows: int) -> str:
    """Rows in short.

    >>> size_label(1_000_000), size_label(50_000), size_label(1_234)
    ('1M', '50k', '1234')
    """
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if rows % unit == 0:
            return f"{rows // unit}{letter}"
    return str(rows)


def first_free(name: str, suffix: str, is_taken: Callable[[str], bool]) -> str:
    """`name` + `suffix`, or the first of `name_2`, `name_3`… that is not taken.

    >>> first_free("a", ".parquet", {"a.parquet", "a_2.parquet"}.__contains__)
    'a_3.parquet'
    """
    candidates = (f"{name}{'' if number == 1 else f'_{number}'}{suffix}" for number in count(1))
    return next(candidate for candidate in candidates if not is_taken(candidate))


def dataset_path(folder: Path, rows: int, day: datetime) -> Path:
    """Where a new file of that size and day goes: `payments_1M_YYYY-MM-DD.parquet`, numbered if there is one."""
    name = f"payments_{size_label(rows)}_{day:%Y-%m-%d}"
    return folder / first_free(name, ".parquet", lambda candidate: (folder / candidate).exists())


def newest_dataset(folder: Path, rows: int, day: datetime) -> Path | None:
    """The latest file of that size and day, if there is one."""
    name = f"payments_{size_label(rows)}_{day:%Y-%m-%d}"
    found = [path for path in (folder / f"{name}.parquet", *folder.glob(f"{name}_*.parquet")) if path.exists()]
    return max(found, key=lambda path: (len(path.name), path.name), default=None)
