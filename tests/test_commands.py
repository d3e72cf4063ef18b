"""Every command: what its help says, and that it fits a terminal of 80 columns."""

import importlib
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rich.console import RenderableType
from typer.main import get_command
from typer.testing import CliRunner

from tests.reference import GROUPS
from twinstream.audit.shadow import ColumnChange
from twinstream.audit.shadow import as_table as shadow_table
from twinstream.catalog import as_table as catalog_table
from twinstream.core.dead_letters import DeadLetter
from twinstream.letters.selection import Notes
from twinstream.letters.tables import letter_table, letters_table, report_tables
from twinstream.letters.verdicts import Verdict
from twinstream.online.get import as_table as reading_table
from twinstream.online.reader import Reading, Status
from twinstream.settings import Settings, environment_names
from twinstream.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
APPS = {
    "python -m producers": "producers.cli",
    "twinstream": "twinstream.cli",
    "python -m deploy.local": "deploy.local.__main__",
    "python flink/stream_processor.py": "twinstream.loop.worker",
    "python flink/jobs/feature_job.py": "twinstream.job.command",
}
WIDTHS = (80, 120)
STARTS_THE_JOB = "flink run"
"""Its --help is the job's."""


def commands(app: typer.Typer, program: str) -> Iterator[tuple[str, list[str], object]]:
    """Each command with the words that lead to it."""
    waiting: list[tuple[list[str], object]] = [([], get_command(app))]
    while waiting:
        words, command = waiting.pop()
        inner = getattr(command, "commands", None)
        if inner:
            waiting += [([*words, name], each) for name, each in inner.items()]
        else:
            yield f"{program} {' '.join(words)}", words, command


@pytest.mark.parametrize("program", APPS)
def test_no_option_hides_that_a_setting_comes_from_the_environment(program: str) -> None:
    """Typer would hand the variable on as if it were a flag; the settings read it themselves and say so."""
    variables = {variable for name in Settings.model_fields for variable in environment_names(name)}
    for name, _, command in commands(importlib.import_module(APPS[program]).app, program):
        for parameter in getattr(command, "params", []):
            read = parameter.envvar if isinstance(parameter.envvar, list) else [parameter.envvar]
            assert not variables & set(read), f"{name}: {parameter.name}"


def help_of(app: typer.Typer, words: list[str], width: int) -> str:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(width), "TERM": "dumb"})
    assert shown.exit_code == 0, words
    return shown.output


@pytest.mark.parametrize(
    ("typed", "usage"),
    [
        (["-m", "twinstream", "flink", "run"], "twinstream flink run"),
        (["flink/jobs/feature_job.py"], "python flink/jobs/feature_job.py"),
    ],
)
def test_the_jobs_help_names_what_was_typed(typed: list[str], usage: str) -> None:
    typed = [sys.executable, *typed, "--help"]
    shown = subprocess.run(typed, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert f"Usage: {usage} [OPTIONS]" in shown


@pytest.mark.parametrize("program", APPS)
def test_every_command_has_an_example_and_no_developers_note(program: str) -> None:
    module = importlib.import_module(APPS[program])
    for name, words, command in commands(module.app, program):
        if name.endswith(STARTS_THE_JOB):
            continue
        examples = getattr(command, "epilog", "") or ""
        assert "Example" in examples, name
        assert " | " not in examples, f"{name}: that would be a pipe"
        whole = set(help_of(module.app, words, 400).split())
        for width in WIDTHS:
            shown = help_of(module.app, words, width)
            assert all(len(line) <= width for line in shown.splitlines()), name
            assert not set(re.sub("[─╭╮╰╯]", "", shown).split()) - whole, f"{name} has parted words"
    listing = CliRunner().invoke(module.app, ["--help"], env={"COLUMNS": "200"}).output
    first_line = (module.__doc__ or "").strip().splitlines()[0]
    assert first_line not in listing, program


def test_the_list_of_make_fits_80_columns() -> None:
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert max(map(len, listing.splitlines())) <= 80
    assert "make demo" in listing


def lines(shown: RenderableType, width: int) -> list[str]:
    file = io.StringIO()
    Terminal(file=file, width=width).print(shown)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("group", GROUPS)
def test_the_catalog_cuts_no_name_and_leaves_room_for_the_meaning(group: str, width: int) -> None:
    shown = lines(catalog_table(GROUPS[group]), width)
    assert "…" not in "".join(shown)
    for feature in GROUPS[group].features:
        (row,) = [line for line in shown if line.split()[:1] == [feature.name]]
        assert len(row.split(feature.name, 1)[1].strip()) > 20, row


NASTY = "[/red]\x1b[2J[bold]b"
READABLE = r"[/red]\x1b[2J[bold]b"


def letter() -> DeadLetter:
    return DeadLetter(
        topic="transactions",
        partition=2,
        offset=123_456,
        timestamp=1_790_000_000_000,
        key=NASTY.encode(),
        value=f'{{"id": "{NASTY}\u202e"}}'.encode(),
        reason="schema",
        detail=f"Expected `float`, got {NASTY}",
        watermark=None,
        lateness_ms=None,
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_dead_letters_are_shown_as_they_are_with_their_place_whole(width: int) -> None:
    notes = Notes(set(), set())
    listed = lines(letters_table([letter()], {"transactions": notes}), width)
    assert any("transactions-2@123456" in line for line in listed)
    assert "…" not in "".join(listed)
    for shown in (listed, lines(letter_table(letter(), notes), width)):
        assert "\x1b" not in "".join(shown)
        assert "\u202e" not in "".join(shown)
    assert READABLE in "".join(lines(letter_table(letter(), notes), 120))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_replay_tells_what_to_do_without_cutting_a_flag(width: int) -> None:
    kinds = {(verdict, "transactions", "duplicate"): 1_234_567 for verdict in Verdict}
    (table, entities) = report_tables(Counter(kinds), dict.fromkeys(kinds, NASTY), Counter({("order", NASTY): 1}), True)
    assert READABLE in "".join(lines(entities, width))
    told = "\n".join(lines(table, width))
    assert "…" not in told
    assert "--include-dead-letters" in told


@pytest.mark.parametrize("width", WIDTHS)
def test_a_shadow_run_cuts_no_feature_and_no_figure(width: int) -> None:
    change = ColumnChange(
        feature="distance_from_previous_km",
        change="changed",
        rows_changed=0.123,
        nulls=(0.1, 0.2),
        mean=(123_456.7, 234_567.8),
        median=(123_456.7, 234_567.8),
        p99=(123_456.7, 234_567.8),
        distance=0.123,
    )
    shown = "\n".join(lines(shadow_table([change], "transaction version 1 and 2"), width))
    assert "…" not in shown
    assert "distance_from_previous_km" in shown
    assert shown.count("2.35e+05") == 3


@pytest.mark.parametrize("width", WIDTHS)
def test_a_reading_shows_an_id_as_it_is_and_cuts_no_value(width: int) -> None:
    group = GROUPS["transaction"]
    reasons = ("high_amount", "velocity_burst", "impossible_travel", "many_merchants", "many_countries", "declines")
    vector = group.values(**{feature.name: reasons if feature.type == "names" else 1 for feature in group.features})
    reading = Reading(
        group, NASTY, 1_790_000_000_000, Status.PRESENT, vector, topic="transactions", partition=2, offset=7
    )
    shown = lines(reading_table(reading, group), width)
    assert READABLE in "\n".join(shown)
    assert "…" not in "".join(shown)
    for feature in group.features:
        assert any(feature.name in line for line in shown)
    for reason in reasons:
        assert any(reason in line for line in shown)
