"""What a person sees: text as it is, and failures in one line.

Nothing that is printed here is markup, wherever it comes from: styles are given beside the text (`styled`). What a
terminal would obey instead of showing it (escape sequences, line breaks in an id, invisible and right-to-left marks) is
written out. A test sees to it that nobody else makes consoles, texts or command lines.
"""

import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.spinner import Spinner
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text
from typer import rich_utils

from twinstream.errors import UserError
from twinstream.packages import is_ours, remedy


def visible(text: object, *, keep: str = "") -> str:
    r"""The text with every character that cannot be seen written out, but for those in `keep`.

    >>> visible("card\n\x1b[2J\u202e")
    'card\\n\\x1b[2J\\u202e'
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in shown
    )


def plain(text: object, style: str = "") -> Text:
    """The text as it is, all in one style."""
    return Text(visible(text), style)


def styled(*parts: str | tuple[object, str]) -> Text:
    """Text in several styles: strings of our own, and pairs of a text and its style."""
    texts = [Text(visible(part, keep="\n")) if isinstance(part, str) else plain(*part) for part in parts]
    return Text.assemble(*texts)


class Terminal(Console):
    """A console that takes every string literally. Line breaks in it are kept; those of data belong into `plain`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Also called by rich for the cells, titles and captions of tables."""
        return super().render_str(visible(text, keep="\n"), **options)

    def print(self, *shown: Any, **options: Any) -> None:
        """Print; a table that the terminal is too narrow for is shown row by row, so that no word in it is cut."""
        super().print(*(self._fitted(each) for each in shown), **options)

    def _fitted(self, shown: Any) -> Any:
        if isinstance(shown, Group):
            return Group(*map(self._fitted, shown.renderables))
        return _fitting(shown, self) if isinstance(shown, Table) else shown

    def say(self, *texts: RenderableType) -> None:
        """Print a line without breaking it where the terminal ends, so that it can be copied."""
        self.print(*texts, soft_wrap=True)

    def tell(self, *texts: RenderableType) -> None:
        """Print a sentence: broken between words for a person, one line for a program."""
        (self.print if self.is_terminal else self.say)(*texts)

    def live(self, shown: RenderableType) -> Live:
        """A line that is replaced by what it is updated with, and goes when its `with` block ends; logs go above it."""
        logs_here = sys.stderr.isatty()
        return Live(shown, console=self, transient=True, refresh_per_second=4, redirect_stderr=logs_here)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A spinner beside the text while a `with` block runs."""
        return super().status(plain(status) if isinstance(status, str) else status, **options)


def _fitting(table: Table, console: Console) -> Table:
    """The table with room for the longest word of each column, or if there is none, each of its rows as a list."""
    unlimited = console.options.update(width=10_000)
    whole = Measurement.get(console, unlimited, table).maximum
    if whole <= console.width:
        return table
    widths = [_column_width(column, console, unlimited) for column in table.columns]
    gaps = whole - sum(width.maximum for width in widths)
    room = console.width - gaps - sum(width.minimum for width in widths)
    if room < 0:
        return _rows_as_lists(table)
    by_need = sorted(zip(table.columns, widths, strict=True), key=lambda each: each[1].span)
    for done, (column, width) in enumerate(by_need):
        more = min(width.span, room // (len(by_need) - done))
        column.width = width.minimum + more
        room -= more
    return table


def _column_width(column: Column, console: Console, options: ConsoleOptions) -> Measurement:
    """How narrow a column can be without parting a word, and how wide it would be alone."""
    cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    widest = max(cell.maximum for cell in cells)
    return Measurement(widest if column.no_wrap else max(cell.minimum for cell in cells), widest)


def _rows_as_lists(table: Table) -> Table:
    """Each row below the one before, a line for each of its cells."""
    lists = Table(title=table.title, caption=table.caption, box=None, show_header=False, padding=(0, 2, 0, 0))
    lists.add_column(no_wrap=True)
    lists.add_column(overflow="fold")
    names = [str(column.header).replace("-\n", "").replace("\n", " ") for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for name, cell in zip(names, row, strict=True):
            lists.add_row(name, cell)
        lists.add_row()
    return lists


def counts_table(name: str, *counts: str) -> Table:
    """A table without lines: a name on the left, counts of what belongs to it on the right."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(name, no_wrap=True)
    for heading in counts:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


class _OptionsTable(Table):
    """The options in a command's help: where they have no room, types and meanings wrap, but no name is cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Decide the columns' widths, which is possible only where the console is known."""
        *names, types, _ = self.columns
        if len(names) > 1 and options.max_width < 100:
            for column in names:
                column.no_wrap = True
            types.width = max(Measurement.get(console, options, cell).minimum for cell in types.cells)
        return super().__rich_console__(console, options)


rich_utils.Table = _OptionsTable  # type: ignore[attr-defined]


Features = Annotated[
    str | None,
    typer.Option(
        "--features", help="Modules or files with the feature groups, with commas between.", show_default="FEATURES"
    ),
]
"""The option by which commands are told which groups there are."""


def spinner(text: str | Text) -> Spinner:
    """A spinner beside a text, for a live line."""
    return Spinner("dots", plain(text) if isinstance(text, str) else text)


def print_error(message: object) -> None:
    """What went wrong, on standard error: one line for a program, broken between words for a person."""
    Terminal(stderr=True).tell(styled(("error:", "red"), " ", (message, "")))


def command_line(**options: Any) -> typer.Typer:
    """A command line whose help may use Markdown. Tracebacks never show the values of variables."""
    return typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False, **options)


def help_is_asked_for() -> bool:
    """Whether a command is to say only what it does: that has to work with wrong settings, too."""
    return "--help" in sys.argv


def run_command(app: Callable[..., Any], program: str, told: tuple[type[Exception], ...] = (UserError,)) -> NoReturn:
    """Run a command line and end the process: what a user can mend is one line and exit code 2.

    Args:
        app: what `command_line` made.
        program: as the user types it.
        told: exceptions whose text is meant for the user.
    """
    code = 2
    try:
        app(prog_name=program)
    except told as error:
        print_error(error)
    except Exception as error:
        if isinstance(error, ImportError) and is_ours(error.name):
            print_error(remedy(error.name or ""))
        else:
            # A fault of ours. Its frames are let go before the process ends: a consumer that they hold open cannot be
            # closed while Python ends, and the process would stay for ever.
            traceback.print_exc()
            code = 1
    else:
        code = 0
    sys.exit(code)
