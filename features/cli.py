"""`python -m features catalog`: every feature, as a table for a person, Markdown for the docs, or JSON."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.table import Table

from features.groups import GROUPS
from features.reference import reference
from twinstream.core.catalog import Feature
from twinstream.terminal import Terminal, command_line, run_command, styled

COLUMNS = ("group", "feature", "type", "unit", "meaning")

app = command_line(no_args_is_help=True)


class Format(StrEnum):
    """How the catalog is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


@app.callback()
def commands() -> None:
    """The feature definitions."""


@app.command(
    epilog="Examples:  python -m features catalog   |   python -m features catalog --format markdown > docs/features.md"
)
def catalog(
    format: Annotated[Format, typer.Option(help="How to write it.")] = Format.TABLE,
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
) -> None:
    """List every feature: group, name, type, unit and meaning."""
    if group is not None and group not in GROUPS:
        raise typer.BadParameter(f"there is no group {group}; choose from {', '.join(GROUPS)}", param_hint="--group")
    rows = [row(name, feature) for name in GROUPS if group in (None, name) for feature in GROUPS[name].features]
    if format is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode([dict(zip(COLUMNS, cells, strict=True)) for cells in rows])))
    elif format is Format.MARKDOWN:
        typer.echo(markdown(rows))
    else:
        for name in GROUPS:
            if group in (None, name):
                Terminal().print(as_table(name))


def as_table(group: str) -> Table:
    """The features of a group for a person, with room for what they mean on a narrow terminal, too."""
    table = Table("feature", "meaning", title=f"Features of {group}", title_justify="left", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for feature in GROUPS[group].features:
        _, name, kind, unit, meaning = row(group, feature)
        table.add_row(styled((name, "bold"), "\n", (f"  {kind}, {unit}" if unit else f"  {kind}", "dim")), meaning)
    return table


def row(group: str, feature: Feature) -> tuple[str, ...]:
    """One feature as the cells of its row."""
    return group, feature.name, feature.type + (" or null" if feature.nullable else ""), feature.unit, feature.meaning


def markdown(rows: list[tuple[str, ...]]) -> str:
    """The docs page: these rows, and how their values are computed."""
    lines = [
        "# Feature catalog",
        "",
        "Made by `python -m features catalog --format markdown`; CI checks that it is fresh.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in rows), "", reference()])


def main() -> None:
    """Run a command."""
    run_command(app, "python -m features")
