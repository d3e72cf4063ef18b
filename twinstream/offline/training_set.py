"""`twinstream training-set`: labels joined with what was known at their time, and nothing later.

For a label of an entity at a moment, the vector is the one of the entity's newest event

- that happened at or before the moment, and after the moment minus the window (an older one says nothing any more);
- that had arrived by then (its Kafka timestamp), unless the set is made as known now.

A vector was known once its event and everything older in its log had arrived; of an entity's events at one moment, the
last to arrive is the newest.

Each group's columns are named `<group>__<column>`, so that those of several groups stand beside one another, joined in
one call or one after another, and each with its own event time.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.files import told_if_unwritable
from twinstream.offline.columns import columns
from twinstream.offline.dataset import AS_KNOWN_NOW, Dataset
from twinstream.offline.outcome import Outcome
from twinstream.parquet import check_times, event_times, read_columns, told_if_unreadable, write_parquet

_TIME, _KNOWN, _PLACE, _NEWEST, _ROW, _WHY = "__time", "__known", "__place", "__newest", "__row", "__why"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group whose vectors are joined, and the column of the labels that names its entity."""

    group: FeatureGroup
    entity_column: str


def training_set(
    labels: Path,
    features: Path,
    out: Path,
    wanted: Sequence[Wanted],
    window_ms: int,
    *,
    time_column: str,
    as_known_now: bool = False,
) -> dict[str, Outcome]:
    """Write the labels with the columns of their vectors; a label without one keeps its row, with nulls.

    Returns:
        By group, how many labels have a vector, and why the others have none.

    Raises:
        UserError: a file or a column is missing, or not what it should be.
    """
    rows = read_columns(labels)
    times = _times(rows, labels, time_column)
    made, outcomes = rows, dict[str, Outcome]()
    for each in wanted:
        names = {name: column_name(each.group, name) for name in columns(each.group) if name != "entity"}
        clashes = [name for name in names.values() if name in made.columns]
        if clashes:
            raise UserError(f"{labels} has a column {clashes[0]} already. Drop or rename it.")
        asked = pl.DataFrame({"entity": _entities(rows, labels, each.entity_column), _TIME: times})
        vectors = _vectors(features, each.group, as_known_now)
        with told_if_unreadable(features):
            joined = join(asked, vectors, window_ms, as_known_now)
        outcomes[each.group.name] = _outcome(asked, joined[_WHY])
        made = made.hstack(joined.select(pl.col(name).alias(named) for name, named in names.items()))
    with told_if_unwritable(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = out.with_name(f".{out.name}.unfinished")
        with scratch.open("wb") as file:
            write_parquet(made, file)
        scratch.replace(out)
    return outcomes


def column_name(group: FeatureGroup, name: str) -> str:
    """What a group's column is called in a training set."""
    return f"{group.name}__{name}"


def join(labels: pl.DataFrame, vectors: pl.LazyFrame, window_ms: int, as_known_now: bool) -> pl.DataFrame:
    """For each label, an entity and a time, the columns of the vector that was known then, and why there is none.

    The vectors of an entity are put in the order in which they became known. Along that order the newest event so far
    is a running maximum; a backward join on the time of becoming known then finds it.
    """
    arrived = pl.col("timestamp").cum_max().over("entity", "partition", order_by="offset")
    known = pl.col("event_time") if as_known_now else pl.max_horizontal("event_time", arrived)
    placed = (
        vectors.join(labels.lazy().select("entity").unique(), on="entity", how="semi")
        .with_columns(known.alias(_KNOWN))
        .sort("event_time", "partition", "offset")
        .with_row_index(_PLACE)
        .collect()
    )
    becoming_known = (
        placed.select("entity", _KNOWN, _PLACE)
        .sort(_KNOWN, _PLACE)
        .with_columns(pl.col(_PLACE).cum_max().over("entity").alias(_NEWEST))
        .drop(_PLACE)
    )
    found = (
        labels.with_row_index(_ROW)
        .sort(_TIME)
        .join_asof(
            becoming_known, left_on=_TIME, right_on=_KNOWN, by="entity", strategy="backward", check_sortedness=False
        )
        .sort(_ROW)
    )
    joined = found.join(placed.drop(_KNOWN, "entity"), left_on=_NEWEST, right_on=_PLACE, how="left").sort(_ROW)
    names = [name for name in placed.columns if name not in (_KNOWN, _PLACE, "entity")]
    is_current = pl.col("event_time") > pl.col(_TIME) - pl.duration(milliseconds=window_ms)
    known_entities = placed["entity"].unique().implode()
    why = (
        pl.when(is_current)
        .then(None)
        .when(pl.col("entity").is_null() | pl.col(_TIME).is_null())
        .then(pl.lit("the label has no entity or no time"))
        .when(~pl.col("entity").is_in(known_entities))
        .then(pl.lit("there is no vector of the entity"))
        .when(pl.col("event_time").is_null())
        .then(pl.lit("no vector of the entity was known by then"))
        .otherwise(pl.lit("the entity's newest vector is older than the window"))
    )
    return joined.select(
        *(pl.when(is_current).then(pl.col(name)).otherwise(None).alias(name) for name in names), why.alias(_WHY)
    )


def _outcome(labels: pl.DataFrame, why: pl.Series) -> Outcome:
    """How many labels have a vector; of each reason for none, how often it is the case, and an example."""
    reasons = Counter[str](dict(why.drop_nulls().value_counts().iter_rows()))
    examples = {}
    for reason in reasons:
        entity, time = labels.row(int((why == reason).arg_true()[0]))
        examples[reason] = f"entity {entity!r} at {time}"
    return Outcome(len(why) - reasons.total(), reasons, examples)


def _vectors(features: Path, group: FeatureGroup, as_known_now: bool) -> pl.LazyFrame:
    dataset = Dataset(features, group)
    vectors = dataset.scan()
    if dataset.origin.endswith(AS_KNOWN_NOW) and not as_known_now:
        raise UserError(
            f"The vectors in {dataset.directory} contain what came too late, so nobody knew them at their time. "
            "Say --as-known-now if that is what you want, or backfill without --include-dead-letters."
        )
    return vectors


def _times(labels: pl.DataFrame, path: Path, column: str) -> pl.Series:
    _check_column(labels, path, column, "--time-column")
    times = event_times(labels, column, path)
    check_times(labels, column, times, path)
    return times.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def _entities(labels: pl.DataFrame, path: Path, column: str) -> pl.Series:
    _check_column(labels, path, column, "--entity-column")
    kind = labels.schema[column]
    if not (kind.is_integer() or isinstance(kind, (pl.String, pl.Categorical, pl.Enum, pl.Null))):
        raise UserError(f"Column {column} of {path} is {kind}; expected the names of entities, as text.")
    return labels[column].cast(pl.String)


def _check_column(labels: pl.DataFrame, path: Path, column: str, option: str) -> None:
    if column not in labels.columns:
        raise UserError(
            f"{path} has no column {column}. Name it with {option}; there are: {', '.join(labels.columns)}."
        )
