"""`python -m store training-set`: labels joined with what was known at their time, and nothing later.

For a label of an entity at a moment, the vector is the one of the entity's newest event

- that happened at or before the moment, and after the moment minus the window (an older one says nothing any more);
- that had arrived by then (its Kafka timestamp), unless the set is made as known now.

A vector was known once its event and everything older in its log had arrived; of an entity's events at one moment, the
last to arrive is the newest.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.catalog import FeatureGroup
from runtime.errors import UserError
from store.offline.columns import COORDINATES, as_time
from store.offline.dataset import AS_KNOWN_NOW, Dataset

_ENTITY, _TIME, _KNOWN, _PLACE, _NEWEST = "__entity", "__time", "__known", "__place", "__newest"


@dataclass(frozen=True, slots=True)
class Made:
    """How many rows a training set has, and how many of them have a vector."""

    rows: int
    matched: int


def training_set(
    labels: Path,
    features: Path,
    out: Path,
    group: FeatureGroup,
    window_ms: int,
    *,
    entity_column: str,
    time_column: str,
    as_known_now: bool = False,
) -> Made:
    """Write the labels with the columns of their vectors; a label without one keeps its row, with nulls.

    Raises:
        UserError: a file or a column is missing.
    """
    rows = _labels(labels, entity_column, time_column)
    dataset = Dataset(features, group)
    vectors = dataset.scan()
    if dataset.origin.endswith(AS_KNOWN_NOW) and not as_known_now:
        raise UserError(
            f"The vectors in {dataset.directory} contain what came too late, so nobody knew them at their time. "
            "Say --as-known-now if that is what you want, or backfill without --include-dead-letters."
        )
    clashes = sorted(set(rows.columns) & {feature.name for feature in group.features})
    if clashes:
        raise UserError(f"{labels} has a column {clashes[0]}, which is a feature of {group.name}. Rename it.")
    joined = join(rows, vectors, window_ms, as_known_now)
    out.parent.mkdir(parents=True, exist_ok=True)
    joined.write_parquet(out)
    return Made(joined.height, joined["feature_event_time"].count())


def join(labels: pl.DataFrame, vectors: pl.LazyFrame, window_ms: int, as_known_now: bool) -> pl.DataFrame:
    """Labels (with entity and time under their own names) and the vectors that were known at their time.

    The vectors of an entity are put in the order in which they became known. Along that order the newest event so far
    is a running maximum; a backward join on the time of becoming known then finds it.
    """
    arrived = pl.col("timestamp").cum_max().over("entity", "partition", order_by="offset")
    known = pl.col("event_time") if as_known_now else pl.max_horizontal("event_time", arrived)
    wanted = labels.lazy().select(pl.col(_ENTITY).alias("entity")).unique()
    placed = (
        vectors.join(wanted, on="entity", how="semi")
        .with_columns(known.alias(_KNOWN))
        .sort("event_time", "partition", "offset")
        .with_row_index(_PLACE)
        .collect()
    )
    becoming_known = (
        placed.select(pl.col("entity").alias(_ENTITY), _KNOWN, _PLACE)
        .sort(_KNOWN, _PLACE)
        .with_columns(pl.col(_PLACE).cum_max().over(_ENTITY).alias(_NEWEST))
        .drop(_PLACE)
    )
    found = (
        labels.with_row_index("__row")
        .sort(_TIME)
        .join_asof(
            becoming_known, left_on=_TIME, right_on=_KNOWN, by=_ENTITY, strategy="backward", check_sortedness=False
        )
    )
    names = {name: f"feature_{name}" for name in COORDINATES if name != "entity"}
    vector = placed.drop(_KNOWN, "entity").rename(names)
    joined = found.join(vector, left_on=_NEWEST, right_on=_PLACE, how="left")
    columns = [name for name in vector.columns if name != _PLACE]
    is_current = pl.col("feature_event_time") > pl.col(_TIME) - pl.duration(milliseconds=window_ms)
    return (
        joined.with_columns(pl.when(is_current).then(pl.col(name)).otherwise(None).alias(name) for name in columns)
        .sort("__row")
        .drop("__row", _ENTITY, _TIME, _NEWEST, _KNOWN, strict=False)
    )


def _labels(path: Path, entity_column: str, time_column: str) -> pl.DataFrame:
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    labels = pl.read_parquet(path)
    for name, option in ((entity_column, "--entity-column"), (time_column, "--time-column")):
        if name not in labels.columns:
            raise UserError(
                f"{path} has no column {name}. Name it with {option}; there are: {', '.join(labels.columns)}."
            )
    moment = as_time(labels, time_column, str(path))
    return labels.with_columns(pl.col(entity_column).cast(pl.String).alias(_ENTITY), moment.alias(_TIME))
