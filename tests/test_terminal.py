"""What a person sees: text of others as it is, and failures in one line."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table

from twinstream.errors import UserError
from twinstream.terminal import (
    Terminal,
    command_line,
    counts_table,
    plain,
    print_error,
    run_command,
    styled,
    visible,
)

NASTY = ["[/red]x", "[bold]b", "[link=file:///etc]", ":smile:", "a\\[b", "[/]"]


def shown(*texts: object, **options: object) -> str:
    """What a terminal of 80 columns gets."""
    file = io.StringIO()
    Terminal(file=file, width=80, **options).print(*texts)
    return file.getvalue()


@pytest.mark.parametrize("text", NASTY)
def test_text_is_printed_as_it_is(text: str) -> None:
    table = Table("name", title=text, caption=text)
    table.add_row(text)
    assert text in shown(text)
    assert text in shown(plain(text, "red"))
    assert text in shown(styled("of ", (text, "bold")))
    assert shown(table).count(text) == 3


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\nlines"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \ud83d", r"half \ud83d"),
        ("München 漢 ✓", "München 漢 ✓"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, readable: str) -> None:
    assert visible(text) == readable
    assert readable in shown(plain(text))
    assert readable in shown(styled((text, "red")))


def test_no_escape_sequence_of_a_cell_reaches_the_terminal() -> None:
    table = Table("id", box=None)
    table.add_row("\x1b]0;title\x07x")
    assert "\x1b" not in shown(table)


@pytest.mark.parametrize("text", [*NASTY, "\x1b[2J", "two\nlines"])
def test_an_error_is_one_line_that_holds_its_text_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_error(f"{text} is wrong")
    assert capsys.readouterr().err == f"error: {visible(text)} is wrong\n"


def test_a_failure_that_a_user_can_mend_ends_a_command_with_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = command_line()

    @app.command()
    def fail() -> None:
        raise UserError("mend [/red] this")

    monkeypatch.setattr("sys.argv", ["fail"])
    with pytest.raises(SystemExit) as ended:
        run_command(app, "fail")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: mend [/red] this\n"


def test_a_fault_of_ours_is_shown_in_full_and_what_it_held_open_is_closed_before_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, closed = command_line(), []

    def reading() -> Iterator[int]:
        try:
            yield 1
        finally:
            closed.append(True)

    @app.command()
    def fail() -> None:
        records = reading()
        raise ValueError(f"after {next(records)} record")

    monkeypatch.setattr("sys.argv", ["fail"])
    with pytest.raises(SystemExit) as ended:
        run_command(app, "fail")
    assert closed == [True]
    assert ended.value.code == 1
    assert "ValueError: after 1 record" in capsys.readouterr().err


CELLS = st.lists(st.text("abcdefg", min_size=1, max_size=30), min_size=1, max_size=5).map(" ".join)


@given(st.lists(st.tuples(*[CELLS] * 5), min_size=1, max_size=5))
def test_no_table_parts_a_word_or_is_wider_than_the_terminal(rows: list[tuple[str, ...]]) -> None:
    """Where a row's longest words have no room side by side, they are below each other."""
    table = Table(*(f"heading {number}" for number in range(5)))
    for row in rows:
        table.add_row(*row)
    text = shown(table)
    assert max(map(len, text.splitlines())) <= 80
    words = [word for row in rows for cell in row for word in cell.split()]
    for word in set(words):
        assert text.split().count(word) >= words.count(word), text


def test_counts_that_have_no_room_side_by_side_are_a_list() -> None:
    table = counts_table("topic", *(f"heading_{number}" for number in range(9)))
    table.add_row("orders", *(f"{number:,}" for number in range(1_000, 1_009)))
    lines = shown(Group(table, "nine counts")).splitlines()
    assert lines[-1].strip() == "nine counts"
    assert lines[0].split() == ["topic", "orders"]
    assert lines[9].split() == ["heading_8", "1,008"]


@pytest.mark.parametrize("columns", [80, 120])
def test_an_error_on_a_terminal_breaks_between_words(columns: int) -> None:
    message = " ".join(f"word{number}" for number in range(40))
    reader, terminal = pty.openpty()
    script = f"from twinstream.terminal import print_error; print_error({message!r})"
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", script], stderr=terminal, env=environment, check=True)
    lines = os.read(reader, 65_536).decode().splitlines()
    os.close(terminal)
    os.close(reader)
    assert len(lines) > 1
    assert all(len(line) <= columns + len("\x1b[31m\x1b[0m") for line in lines)
    assert " ".join(" ".join(lines).split()).endswith(message)
