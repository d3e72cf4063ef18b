"""`twinstream shadow`: the next version of a group beside the present one, over the same log.

A candidate is a Python file with a family of features, written as they are in `features/`:

    from twinstream import Family
    from features.payments import PaymentWindow

    changed = Family("changed")

    @changed.feature(unit="events/min", meaning="Payments over the time since the oldest of them.")
    def txn_per_minute(window: PaymentWindow) -> float:
        ...

A feature of a known name takes the place of the present one; any other is new. Nothing is written anywhere.
"""

import runpy
import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from twinstream.audit.rederive import Sample
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.feature_group import Family, FeatureGroup
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import Record, end_offsets, read_topic
from twinstream.offline.replay import States, batched, new_processor
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Features, Terminal, styled

if TYPE_CHECKING:
    import polars as pl


def load_candidate(path: Path, registry: Registry, group: FeatureGroup) -> FeatureGroup:
    """The group with the features of a file in it, as its next version.

    Raises:
        UserError: the file does not run, or has no features of its own.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        defined = runpy.run_path(str(path)).values()
    except (Exception, SystemExit) as fault:
        raise UserError(f"{path} does not run: {type(fault).__name__}: {fault}") from None
    present = {id(family) for each in registry for family in each.families}
    families = [each for each in defined if isinstance(each, Family) and id(each) not in present]
    changed = {feature.name: feature for family in families for feature in family.features}
    if not changed:
        raise UserError(
            f"{path} defines no features in a family of its own. It needs one, such as changed = Family('changed'), "
            "and functions with @changed.feature(unit=…, meaning=…): those that are new or other than now."
        )
    features = {feature.name: feature for feature in group.features} | changed
    return group.next_version(families, list(features.values()))


def side_by_side(
    group: FeatureGroup,
    candidate: FeatureGroup,
    logs: Iterable[Iterable[Record]],
    settings: Settings,
    sample: Sample,
) -> "tuple[pl.DataFrame, pl.DataFrame]":
    """The vectors of both versions over the same partitions, a row for each event that both accept."""
    import polars as pl

    from twinstream.offline.columns import columns, to_frame

    frames: tuple[list[pl.DataFrame], list[pl.DataFrame]] = ([], [])
    kept = [["partition", "offset", *(feature.name for feature in version.features)] for version in (group, candidate)]
    for records in logs:
        versions = [(new_processor(version, settings), States()) for version in (group, candidate)]
        for batch in batched(records):
            for (partition, states), frame, names in zip(versions, frames, kept, strict=True):
                known = states.after(partition.sweep_until_ms)
                stamped = partition.stamp(batch)
                chosen = [each for each in stamped if isinstance(each, DeadLetter) or sample.has(each.entity)]
                applied = partition.apply(chosen, known)
                frame.append(to_frame(partition.group, applied.features).select(names))
    both = []
    for version, names, parts in zip((group, candidate), kept, frames, strict=True):
        schema = {name: columns(version)[name] for name in names}
        both.append(pl.concat([pl.DataFrame(schema=schema), *parts]))
    now, then = both
    places = ["partition", "offset"]
    return (
        now.join(then.select(places), on=places, how="semi").sort(places),
        then.join(now.select(places), on=places, how="semi").sort(places),
    )


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True):
    """How one feature differs between the versions; of a feature that only one has, the other's figures are null.

    Attributes:
        feature: its name.
        change: `same`, `changed`, `new` or `gone`.
        rows_changed: share of the rows whose value differs.
        nulls, mean, median, p99: before and after. Of a truth value, the mean is the share of true.
        distance: greatest difference between the two distributions, 0 to 1: of numbers, of their cumulative shares
            (Kolmogorov-Smirnov); of names, half the sum of the differences of their shares.
    """

    feature: str
    change: str
    rows_changed: float | None
    nulls: tuple[float | None, float | None]
    mean: tuple[float | None, float | None]
    median: tuple[float | None, float | None]
    p99: tuple[float | None, float | None]
    distance: float | None


def column_changes(before: "pl.DataFrame", after: "pl.DataFrame") -> list[ColumnChange]:
    """How the features differ, in the order of the new version; what is gone comes last."""
    places = ["partition", "offset"]
    names = [name for name in after.columns if name not in places]
    names += [name for name in before.columns if name not in after.columns]
    return [_column_change(name, _column(before, name), _column(after, name)) for name in names]


def _column(frame: "pl.DataFrame", name: str) -> "pl.Series | None":
    """A feature's values; lists of names as one text."""
    import polars as pl

    if name not in frame.columns:
        return None
    column = frame[name]
    return column.list.join(",") if column.dtype == pl.List(pl.String) else column


def _column_change(name: str, before: "pl.Series | None", after: "pl.Series | None") -> ColumnChange:
    figures = zip(_figures(before), _figures(after), strict=True)
    nulls, mean, median, p99 = figures
    if before is None or after is None:
        return ColumnChange(
            feature=name,
            change="new" if before is None else "gone",
            rows_changed=None,
            nulls=nulls,
            mean=mean,
            median=median,
            p99=p99,
            distance=None,
        )
    differing = before.ne_missing(after).mean()
    rows_changed = float(differing) if isinstance(differing, (int, float)) else 0.0
    return ColumnChange(
        feature=name,
        change="changed" if rows_changed else "same",
        rows_changed=rows_changed,
        nulls=nulls,
        mean=mean,
        median=median,
        p99=p99,
        distance=_distance(before.drop_nulls(), after.drop_nulls()),
    )


def _figures(column: "pl.Series | None") -> tuple[float | None, float | None, float | None, float | None]:
    """Share of nulls, mean, median and 99th percentile."""
    if column is None or not len(column):
        return None, None, None, None
    nulls = column.null_count() / len(column)
    if column.dtype.is_numeric():
        values: list[Any] = [column.mean(), column.median(), column.quantile(0.99)]
        return nulls, *values
    return nulls, (column.mean() if str(column.dtype) == "Boolean" else None), None, None  # type: ignore[return-value]


def _distance(before: "pl.Series", after: "pl.Series") -> float | None:
    import polars as pl

    if not len(before) or not len(after):
        return None if not len(before) and not len(after) else 1.0
    if before.dtype.is_numeric():
        one, other = before.cast(pl.Float64).sort(), after.cast(pl.Float64).sort()
        values = pl.concat([one, other]).unique()
        shares = [each.search_sorted(values, side="right") / len(each) for each in (one, other)]
        return float((shares[0] - shares[1]).abs().max())  # type: ignore[arg-type]
    counts = [
        each.cast(pl.String).rename("value").value_counts(normalize=True, name=name)
        for each, name in ((before, "one"), (after, "other"))
    ]
    both = counts[0].join(counts[1], on="value", how="full", coalesce=True).fill_null(0)
    return float((both["one"] - both["other"]).abs().sum()) / 2


def shadow(
    candidate: Annotated[Path, typer.Option(help="Python file with what is new or changed, in its own Family.")],
    source: Annotated[
        str | None, typer.Option("--in", help="A source topic or a Parquet file.", show_default="the group's topic")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Feature group.", show_default="the only or first one")] = None,
    features: Features = None,
    share: Annotated[float, typer.Option(min=0.0001, max=1, help="Of the entities, chosen by hash.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Compute a group's next version beside the present one, and tell how the features' distributions differ."""
    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    present = registry.named(group or registry.names[0])
    following = load_candidate(candidate, registry, present)
    with (
        tempfile.TemporaryDirectory() as scratch,
        Terminal(stderr=True).status(f"Replaying {source or present.topic} ..."),
        closing(_logs(source or present.topic, registry, present, settings, Path(scratch))) as logs,
    ):
        before, after = side_by_side(present, following, logs, settings, Sample(share))
    if not before.height:
        raise UserError(f"No event of {source or present.topic} is accepted by both versions.")
    changes = column_changes(before, after)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(changes)))
    else:
        title = f"{present.name} version {present.version} and {following.version}, {before.height:,} vectors each"
        Terminal().print(as_table(changes, title))


def _logs(
    source: str, registry: Registry, group: FeatureGroup, settings: Settings, scratch: Path
) -> Generator[Iterable[Record], None, None]:
    """The partitions of a topic, or the rows of a file as if they were one."""
    from twinstream.offline.backfill import file_records, split_file

    if source.endswith(".parquet"):
        for shard in split_file(Path(source), group, scratch, 1):
            assert shard.path is not None
            yield file_records(shard.path, group)
        return
    if not registry.reads(source):
        raise UserError(f"{source} is neither a Parquet file nor one of {', '.join(registry.topics)}.")
    for partition in sorted(end_offsets(settings, source)):
        with closing(read_topic(settings, source, only=[partition])) as records:
            yield records


def as_table(changes: Iterable[ColumnChange], title: str) -> Table:
    """The changes for a person: what is not the same stands out, the figure before above the one after."""
    headings = ("feature", "rows\ndiffer", "nulls", "mean", "median", "p99", "dis-\ntance")
    table = Table(*headings, title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for each in changes:
        table.add_row(
            styled((each.feature, ""), "\n", f"  {each.change}"),
            "" if each.rows_changed is None else f"{each.rows_changed:.1%}",
            _both(each.nulls, ".1%"),
            _both(each.mean, ".3g"),
            _both(each.median, ".3g"),
            _both(each.p99, ".3g"),
            "" if each.distance is None else f"{each.distance:.3f}",
            style="dim" if each.change == "same" else "bold",
        )
    return table


def _both(pair: tuple[float | None, float | None], form: str) -> str:
    """A figure before and after, once if it is the same."""
    texts = ["" if value is None else format(value, form) for value in pair]
    return texts[0] if texts[0] == texts[1] else "\n".join(text or "–" for text in texts)
