"""`twinstream dead-letters`: what was set aside and why, and sending back what can be repaired."""

import time
from collections import Counter
from contextlib import closing
from heapq import nlargest
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.letters.redriving import redrive
from twinstream.letters.selection import Choice, Notes, find, read_letters, read_notes
from twinstream.letters.tables import Summary, letter_table, letters_table, report_tables, stats_table
from twinstream.letters.transform import Transform
from twinstream.letters.verdicts import Verdict
from twinstream.log.kafka import LogError
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Features, Terminal, command_line
from twinstream.timestamps import parse_since

app = command_line(no_args_is_help=True, help="What was set aside and why; sending back what can be repaired.")

Topic = Annotated[str | None, typer.Option(help="Only this source topic.", show_default="all")]
Reason = Annotated[list[str] | None, typer.Option(help="Only this reason; again for more.", show_default="all")]
Since = Annotated[
    str | None, typer.Option(help="Only records that came in since: a time, or 30m, 6h, 2d ago.", show_default="ever")
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command(
    name="list",
    epilog="Examples:\n\n`twinstream dead-letters list --since 1h`\n\n"
    "`twinstream dead-letters list --topic orders --reason schema --limit 100`",
)
def list_letters(
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    features: Features = None,
    as_json: Json = False,
) -> None:
    """Dead letters, the newest first: when, why, whose, and what exactly was wrong."""
    settings, _, choice = _chosen(features, topic, reason, since)
    with closing(read_letters(settings, choice)) as letters:
        newest = nlargest(limit, letters, key=lambda letter: (letter.timestamp, letter.offset))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(newest)))
        return
    notes: dict[str, Notes] = {name: read_notes(settings, name) for name in {letter.topic for letter in newest}}
    Terminal().print(letters_table(newest, notes))


@app.command(epilog="Example:\n\n`twinstream dead-letters show transactions-2@17`")
def show(
    place: Annotated[str, typer.Argument(help="Where the record stands, as `list` shows it.")],
    features: Features = None,
    as_json: Json = False,
) -> None:
    """The dead letter of a record in full, with the record; several, where groups refused it for different reasons."""
    settings = load_settings(features=features)
    letters = find(settings, load_registry(settings.features), place)
    if as_json:
        for letter in letters:
            typer.echo(msgspec.json.format(msgspec.json.encode(letter)))
        return
    notes = read_notes(settings, letters[0].topic)
    for letter in letters:
        Terminal().print(letter_table(letter, notes))


@app.command(epilog="Example:\n\n`twinstream dead-letters stats --since 2d`")
def stats(
    topic: Topic = None, reason: Reason = None, since: Since = None, features: Features = None, as_json: Json = False
) -> None:
    """How many dead letters there are, by reason and over time."""
    settings, _, choice = _chosen(features, topic, reason, since)
    summary = Summary()
    with closing(read_letters(settings, choice)) as letters:
        for letter in letters:
            summary.add(letter)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(summary.as_data())))
    else:
        Terminal().print(stats_table(summary))


@app.command(
    epilog="Examples:\n\n`twinstream dead-letters replay --reason future --dry-run`\n\n"
    "`twinstream dead-letters replay --reason schema --since 6h --transform repair.py`"
)
def replay(
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    transform: Annotated[
        Path | None, typer.Option(help="Python script with transform(record, letter): the repaired record, or None.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would happen.")] = False,
    even_late: Annotated[
        bool, typer.Option("--even-late", help="Also what will be late again, for backfills with dead letters.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Also what was re-driven and refused again.")] = False,
    features: Features = None,
    as_json: Json = False,
) -> None:
    """Send back the records that would be accepted now, each once; tell why the others would not."""
    settings, registry, choice = _chosen(features, topic, reason, since)
    script = None if transform is None else Transform(transform)
    outcomes: Counter[tuple[Verdict, str, str]] = Counter()
    details: dict[tuple[Verdict, str, str], str] = {}
    entities: Counter[tuple[str, str]] = Counter()
    every = redrive(settings, registry, choice, transform=script, dry_run=dry_run, even_late=even_late, again=again)
    try:
        with closing(every):
            for judged in every:
                kind = judged.verdict, judged.letter.topic, judged.letter.reason
                outcomes[kind] += 1
                details.setdefault(kind, judged.detail)
                if judged.verdict is Verdict.SEND:
                    entities.update((group, judged.entity) for group in judged.groups)
    except UserError:
        raise
    except LogError as error:
        raise UserError(f"{error} Records and notes go together: run it again, nothing is sent twice.") from None
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(_as_data(outcomes, entities, dry_run))))
    else:
        console = Terminal()
        for table in report_tables(outcomes, details, entities, dry_run):
            console.print(table)


def _as_data(
    outcomes: Counter[tuple[Verdict, str, str]], entities: Counter[tuple[str, str]], dry_run: bool
) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "outcomes": [
            {"outcome": verdict, "topic": topic, "reason": reason, "records": count}
            for (verdict, topic, reason), count in sorted(outcomes.items())
        ],
        "entities": [
            {"group": group, "entity": entity, "records": count} for (group, entity), count in sorted(entities.items())
        ],
    }


def _chosen(
    features: str | None, topic: str | None, reason: list[str] | None, since: str | None
) -> tuple[Settings, Registry, Choice]:
    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    since_ms = None if since is None else parse_since(since, time.time_ns() // 1_000_000)
    if topic is not None:
        registry.of_topic(topic)  # which says so if there is none
    topics = registry.topics if topic is None else (topic,)
    return settings, registry, Choice(topics, frozenset(reason or ()), since_ms)
