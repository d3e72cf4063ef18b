"""`twinstream get`: an entity's features at a moment, for a person or a program."""

import time
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import WindowConfig
from twinstream.core.vectors import readable
from twinstream.definitions import load_registry
from twinstream.online.reader import Reader, Reading
from twinstream.online.redis.connection import connect_reader
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal, plain
from twinstream.timestamps import iso, parse_moment

NOT_FOUND = 1
"""Exit code when the entity has no state."""


def get(
    group: Annotated[str, typer.Argument(help="Feature group; `twinstream catalog` lists them.", show_default=False)],
    entity: Annotated[
        str, typer.Argument(help="Whose features: a card, a user, whatever the group is about.", show_default=False)
    ],
    at: Annotated[
        str | None,
        typer.Option(help="The moment: ISO-8601 with zone, or epoch milliseconds.", show_default="now"),
    ] = None,
    features: Features = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """An entity's features exactly as of a moment, also when it has long been idle."""
    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    definition = registry.named(group)
    at_ms = time.time_ns() // 1_000_000 if at is None else parse_moment(at)
    reader = Reader(
        connect_reader(settings), registry, WindowConfig(settings.window_ms, settings.max_events_per_entity)
    )
    reading = reader.read(group, entity, at_ms)
    if reading is None:
        Terminal(stderr=True).tell(
            plain(
                f"{entity} has no {group} features: it was never seen, or too long ago. "
                f"See those there are with: redis-cli KEYS 'features:{group}:*'"
            )
        )
        raise typer.Exit(NOT_FOUND)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(as_data(reading))))
    else:
        Terminal().print(as_table(reading, definition))


def as_data(reading: Reading) -> dict[str, Any]:
    """A reading as it is written in JSON; times in epoch ms, features in the catalog's order."""
    return {
        "group": reading.group.name,
        "entity": reading.entity,
        "at": reading.at_ms,
        "event_time": reading.event_time_ms,
        "topic": reading.topic,
        "partition": reading.partition,
        "offset": reading.offset,
        "features": reading.vector,
    }


def as_table(reading: Reading, group: FeatureGroup) -> Table:
    """A reading for a person."""
    newest = "forgotten" if reading.event_time_ms is None else iso(reading.event_time_ms)
    table = Table(
        "feature",
        "value",
        "unit",
        title=plain(f"{reading.group.name} {reading.entity} at {iso(reading.at_ms)}"),
        caption=f"newest event {newest}\n{reading.topic}-{reading.partition} offset {reading.offset}",
        box=box.SIMPLE_HEAD,
    )
    table.columns[0].no_wrap = True
    table.columns[1].justify = "right"
    table.columns[1].overflow = "fold"
    for feature in group.features:
        value = readable(getattr(reading.vector, feature.name))
        table.add_row(feature.name, plain(value.replace(",", ", ")), feature.unit)  # a list may break between its parts
    return table
