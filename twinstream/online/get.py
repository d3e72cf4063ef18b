"""`python -m store get`: an entity's features at a moment, for a person or a program."""

import time
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from features.groups import GROUPS
from twinstream.core.state import WindowConfig
from twinstream.core.vectors import readable
from twinstream.online.connection import connect
from twinstream.online.reader import Reader, Reading, check_group
from twinstream.settings import load_settings
from twinstream.terminal import Terminal, plain
from twinstream.timestamps import iso, parse_moment

NOT_FOUND = 1
"""Exit code when the entity has no state."""


def get(
    group: Annotated[str, typer.Argument(help=f"One of: {', '.join(GROUPS)}.", show_default=False)],
    entity: Annotated[str, typer.Argument(help="A card, or a user for orders and clicks.", show_default=False)],
    at: Annotated[
        str | None,
        typer.Option(help="The moment: ISO-8601 with zone, or epoch milliseconds.", show_default="now"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """An entity's features exactly as of a moment, also when it has long been idle."""
    check_group(group)
    at_ms = time.time_ns() // 1_000_000 if at is None else parse_moment(at)
    settings = load_settings()
    store = connect(settings)
    reader = Reader(store, WindowConfig(settings.window_ms, settings.max_events_per_entity))
    reading = reader.read(group, entity, at_ms)
    if reading is None:
        Terminal(stderr=True).say(
            plain(
                f"{entity} has no {group} features: it was never seen, or too long ago. "
                f"See those there are with: redis-cli KEYS 'features:{group}:*'"
            )
        )
        raise typer.Exit(NOT_FOUND)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(as_data(reading))))
    else:
        Terminal().print(as_table(reading))


def as_data(reading: Reading) -> dict[str, Any]:
    """A reading as it is written in JSON; times in epoch ms, features in the catalog's order."""
    return {
        "group": reading.group,
        "entity": reading.entity,
        "at": reading.at_ms,
        "event_time": reading.event_time_ms,
        "topic": reading.topic,
        "partition": reading.partition,
        "offset": reading.offset,
        "features": reading.vector,
    }


def as_table(reading: Reading) -> Table:
    """A reading for a person."""
    newest = "forgotten" if reading.event_time_ms is None else iso(reading.event_time_ms)
    table = Table(
        "feature",
        "value",
        "unit",
        title=plain(f"{reading.group} {reading.entity} at {iso(reading.at_ms)}"),
        caption=f"newest event {newest}\n{reading.topic}-{reading.partition} offset {reading.offset}",
        box=box.SIMPLE_HEAD,
    )
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    table.columns[1].overflow = "fold"
    for feature in GROUPS[reading.group].features:
        table.add_row(feature.name, plain(readable(getattr(reading.vector, feature.name))), feature.unit)
    return table
