"""What producers show a person: progress on standard error, tables where they are asked for."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.errors import UserError


class Advance(Protocol):
    """Tells a progress bar that records are done."""

    def __call__(self, done: int, rate: float) -> None:
        """`done` records so far, at `rate` per second."""


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Advance]:
    """A bar with the live rate on standard error; silent where that is no terminal."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = progress.add_task(title, total=total, rate=0.0)

    def advance(done: int, rate: float) -> None:
        progress.update(task, completed=done, rate=rate)

    with progress:
        yield advance


def write_json(target: str, figures: dict[str, Any]) -> None:
    """Write figures as JSON into a file, or onto standard output for `-`."""
    text = json.dumps(figures, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror}). Choose another file.") from None


def table_console(json_target: str | None) -> Console:
    """Where tables go: standard output, unless that carries JSON."""
    return Console(stderr=json_target == "-")
