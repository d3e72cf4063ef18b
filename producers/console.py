"""What producers show a person: progress on standard error, tables where they are asked for."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.control import Control
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import ControlType

from twinstream.errors import UserError
from twinstream.terminal import Terminal


class Bar:
    """Shows on standard error how many records are done; call it as `bar(done, rate)`, records and records per second.

    Standard output is left alone: what is printed there arrives there.
    """

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total, rate=0.0)

    def __call__(self, done: int, rate: float) -> None:
        self._progress.update(self._task, completed=done, rate=rate, refresh=not self._progress.live.auto_refresh)

    def clear(self) -> None:
        """Take the bar from the terminal until the next call, so that a line can be written there."""
        if not self._progress.disable:
            self._progress.console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))


@contextmanager
def progress_bar(title: str, total: int | None, *, shown: bool = True, between_lines: bool = False) -> Iterator[Bar]:
    """A bar with the live rate on standard error; silent where that is no terminal, or not `shown`.

    With `between_lines` it is drawn when it is called only, and the caller clears it before each line of its own.
    """
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s", markup=False),
        TimeElapsedColumn(),
        console=Terminal(stderr=True),
        auto_refresh=not between_lines,
        redirect_stdout=False,
        disable=not shown or not sys.stderr.isatty(),
    )
    with progress:
        yield Bar(progress, title, total)


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


def table_console(json_target: str | None) -> Terminal:
    """Where tables go: standard output, unless that carries JSON."""
    return Terminal(stderr=json_target == "-")
