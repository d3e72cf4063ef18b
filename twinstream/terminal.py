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
from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.status import Status
from rich.text import Text

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

    def say(self, *texts: RenderableType) -> None:
        """Print a line without breaking it where the terminal ends, so that it can be copied."""
        self.print(*texts, soft_wrap=True)

    def live(self, shown: RenderableType) -> Live:
        """A line that is replaced by what it is updated with, and goes when its `with` block ends; logs go above it."""
        logs_here = sys.stderr.isatty()
        return Live(shown, console=self, transient=True, refresh_per_second=4, redirect_stderr=logs_here)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A spinner beside the text while a `with` block runs."""
        return super().status(plain(status) if isinstance(status, str) else status, **options)


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
    """What went wrong, in one line on standard error."""
    Terminal(stderr=True).say(styled(("error:", "red"), " ", (message, "")))


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
