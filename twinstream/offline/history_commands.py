"""The commands of the offline store, as a user types them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from twinstream.core.rejection import REASONS
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import IfDeleted
from twinstream.log.kafka.topic_reader import end_offsets
from twinstream.registry import Registry
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal, counts_table, print_error

Out = Annotated[Path, typer.Option(help="Root folder of the dataset.")]
IfDeletedOption = Annotated[
    IfDeleted, typer.Option(help="What to do when Kafka has deleted records that were not read: refuse or continue.")
]
Group = Annotated[str | None, typer.Option(help="Only this group.", show_default="all")]


def export(
    out: Out = Path("features-dataset"),
    group: Group = None,
    features: Features = None,
    if_log_lost: IfDeletedOption = IfDeleted.REFUSE,
) -> None:
    """The feature log as a Parquet dataset: what has come in since the last export, each record exactly once."""
    from twinstream.offline.export import export as export_group
    from twinstream.offline.export import pending

    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    table = Table("group", "new records", "dataset", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for each in registry if group is None else [registry.named(group)]:
        with _progress(f"Exporting {each.name}", pending(settings, each, out)) as advance:
            count = export_group(settings, each, out, advance, if_log_lost)
        table.add_row(each.name, f"{count:,}", f"{out}/group={each.name}")
    Terminal().print(table)


def backfill(
    source: Annotated[str, typer.Option("--in", help="A source topic, or a Parquet file of records.")],
    out: Out = Path("features-dataset"),
    group: Annotated[
        str | None,
        typer.Option(help="Group to compute.", show_default="the topic's if it has one; the first for a file"),
    ] = None,
    include_dead_letters: Annotated[
        bool, typer.Option("--include-dead-letters", help="As known now: late records count, too.")
    ] = False,
    features: Features = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="one per core")] = None,
    if_log_lost: IfDeletedOption = IfDeleted.REFUSE,
) -> None:
    """Features over history: the live runtimes' functions over a topic or a file, on all cores."""
    import time

    from twinstream.offline.backfill import backfill as run
    from twinstream.parquet import parquet_height

    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    is_file = source.endswith(".parquet")
    name = registry.named(group or (registry.names[0] if is_file else _group_of(registry, source))).name
    total = parquet_height(Path(source)) if is_file else sum(end_offsets(settings, source).values())
    began = time.monotonic()
    with _progress(f"Backfilling {name}", total) as advance:
        done = 0

        def on_progress(count: int) -> None:
            nonlocal done
            advance(count - done)
            done = count

        replayed = run(
            source,
            out,
            registry,
            name,
            settings,
            include_late=include_dead_letters,
            cores=cores,
            if_deleted=if_log_lost,
            on_progress=on_progress,
        )
    seconds = time.monotonic() - began
    reasons = [reason for reason in REASONS if replayed.reasons[reason]]
    table = counts_table("group", "accepted", *reasons)
    table.add_row(name, f"{replayed.good:,}", *(f"{replayed.reasons[reason]:,}" for reason in reasons))
    console = Terminal()
    console.print(table)
    console.tell(f"{replayed.total:,} records in {seconds:.1f} s ({replayed.total / seconds:,.0f}/s), in {out}")
    _end_by(replayed.complaint("records", "were accepted"))


def training_set(
    labels: Annotated[Path, typer.Option(help="Parquet file of labels: an entity, a time, and whatever else.")],
    features: Annotated[Path, typer.Option(help="Root folder of the dataset.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    group: Annotated[
        list[str] | None,
        typer.Option(help="Group whose vectors are joined; again for more.", show_default="the first"),
    ] = None,
    entity_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of the labels with the entity; one for all groups, or one for each, in their order.",
            show_default="as the group's records name it",
        ),
    ] = None,
    time_column: Annotated[str, typer.Option(help="Column of the labels, with a zone or epoch ms.")] = "timestamp",
    as_known_now: Annotated[
        bool, typer.Option("--as-known-now", help="Also vectors that had not arrived yet at the label's time.")
    ] = False,
) -> None:
    """To each label, the entity's newest vector that was known at its time and is no older than the window."""
    from twinstream.offline.training_set import Wanted
    from twinstream.offline.training_set import training_set as join

    settings = load_settings()
    registry = load_registry(settings.features)
    groups = [registry.named(name) for name in dict.fromkeys(group or registry.names[:1])]
    entities = entity_column or [each.entity for each in groups]
    if len(entities) not in (1, len(groups)):
        raise UserError(f"--entity-column is given {len(entities)} times for {len(groups)} groups; once, or for each.")
    if len(entities) == 1:
        entities = entities * len(groups)
    outcomes = join(
        labels,
        features,
        out,
        [Wanted(each, entity) for each, entity in zip(groups, entities, strict=True)],
        settings.window_ms,
        time_column=time_column,
        as_known_now=as_known_now,
    )
    for name, outcome in outcomes.items():
        Terminal().tell(f"{outcome.total:,} rows, {outcome.good:,} with a vector of {name}, in {out}")
    for name, outcome in outcomes.items():
        _end_by(outcome.complaint("labels", f"have a vector of {name}"))


def _end_by(complaint: str | None) -> None:
    """End the command with exit code 1 if there is something to complain of."""
    if complaint is not None:
        print_error(complaint)
        raise typer.Exit(1)


def _group_of(registry: Registry, topic: str) -> str:
    """The group of a topic.

    Raises:
        UserError: there is none, or there are several.
    """
    if not registry.reads(topic):
        raise UserError(
            f"{topic} is neither a Parquet file nor one of {', '.join(registry.topics)}; say --group if it is."
        )
    groups = registry.of_topic(topic)
    if len(groups) > 1:
        names = ", ".join(group.name for group in groups)
        raise UserError(f"Several groups read {topic}: {names}. Say with --group which one to compute.")
    return groups[0].name


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, where that is a terminal."""
    shown = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
