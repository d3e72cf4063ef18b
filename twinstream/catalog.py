"""`twinstream catalog`: every feature, as a table for a person, Markdown for the docs, or JSON."""

from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.table import Table

from twinstream.core.feature_group import Feature, FeatureGroup
from twinstream.definitions import load_registry
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal, styled

COLUMNS = ("group", "feature", "type", "unit", "meaning")


class Format(StrEnum):
    """How the catalog is written."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def catalog(
    format: Annotated[Format, typer.Option(help="How to write it.")] = Format.TABLE,
    group: Annotated[str | None, typer.Option(help="Only this group.", show_default="all")] = None,
    features: Features = None,
) -> None:
    """List every feature: group, name, type, unit and meaning."""
    registry = load_registry(load_settings(features=features).features)
    groups = list(registry) if group is None else [registry.named(group)]
    rows = [row(each.name, feature) for each in groups for feature in each.features]
    if format is Format.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode([dict(zip(COLUMNS, cells, strict=True)) for cells in rows])))
    elif format is Format.MARKDOWN:
        typer.echo(markdown(rows, registry.notes))
    else:
        for each in groups:
            Terminal().print(as_table(each))


def as_table(group: FeatureGroup) -> Table:
    """The features of a group for a person, with room for what they mean on a narrow terminal, too."""
    table = Table("feature", "meaning", title=f"Features of {group.name}", title_justify="left", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for feature in group.features:
        _, name, kind, unit, meaning = row(group.name, feature)
        table.add_row(styled((name, "bold"), "\n", (f"  {kind}, {unit}" if unit else f"  {kind}", "dim")), meaning)
    return table


def row(group: str, feature: Feature) -> tuple[str, ...]:
    """One feature as the cells of its row."""
    return group, feature.name, feature.type + (" or null" if feature.nullable else ""), feature.unit, feature.meaning


def markdown(rows: list[tuple[str, ...]], notes: str) -> str:
    """The docs page: these rows, and what the definitions say of how their values are computed."""
    lines = [
        "# Feature catalog",
        "",
        "Made by `twinstream catalog --format markdown`; CI checks that it is fresh.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, cells)) + " |" for cells in rows), "", notes]).rstrip()


def _cell(text: str) -> str:
    """Text in a Markdown table, where a bar would end the cell; a condition may have one."""
    return text.replace("|", r"\|")
