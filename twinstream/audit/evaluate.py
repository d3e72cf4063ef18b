"""`twinstream evaluate`: how well a feature ranks what a label marks, beside one field of the records alone.

The score is the one in the feature log: what was known when the record arrived. The truth is a label in the same record
of the source topic, which no feature sees. Records that were set aside have no score and do not count. The group's
`Scoring` says which feature and which fields these are.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table

from twinstream.audit.ranking import hits_at, percentiles, roc_auc
from twinstream.core.feature_group import FeatureGroup, Scoring
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import Record, read_topic
from twinstream.log.rows import UNDECODABLE, row_decoder
from twinstream.log.topics import feature_log_topic
from twinstream.registry import Registry
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal


@dataclass(frozen=True, slots=True)
class Joined:
    """Records that have both a score and a label, one place in every list for each; see `Scoring`."""

    scores: list[float]
    baselines: list[float]
    units: list[str]
    marked: list[bool]


class Quality(msgspec.Struct, frozen=True):
    """How well one score finds what is marked.

    Attributes:
        score: its name.
        roc_auc: chance that a marked record scores above one that is not.
        precision: share of marked records among the alerts.
        recall: share of the marked records that the alerts contain.
    """

    score: str
    roc_auc: float
    precision: float
    recall: float


class Evaluation(msgspec.Struct, frozen=True):
    """The result.

    Attributes:
        records, marked: how many were compared, and how many of these the label marks.
        alerts: how many of the highest scores count as alerts.
        scores: the quality of each score; the first is the feature's.
        auc_lead: by how much its ROC-AUC exceeds the best of the others, where a number may also be read backwards:
            if small ones are the suspicious ones, that counts for it.
    """

    records: int
    marked: int
    alerts: int
    scores: list[Quality]
    auc_lead: float


def join_logs(group: FeatureGroup, scoring: Scoring, feature_log: Iterable[Record], source: Iterable[Record]) -> Joined:
    """Join the two logs by place and id; records without a label or a score are left out.

    None is a score that has no value, and a vector that was written before the score was defined has none at all.
    """
    decode_row = row_decoder(_Scored, "feature record")
    scores: dict[tuple[int, int], tuple[str, float]] = {}
    for record in feature_log:
        row = decode_row(record)
        score = row.features.get(scoring.score)
        if score is not None:
            scores[row.partition, row.offset] = (row.event_id, float(score))
    joined = Joined([], [], [], [])
    labelled = _labels(group, scoring)
    for record in source:
        event_id, known = scores.get((record.partition, record.offset), ("", 0.0))
        found = labelled(record.value or b"") if event_id else None
        if found is None or found.id != event_id or found.label is None:
            continue
        joined.scores.append(known)
        joined.baselines.append(float(found.baseline))
        joined.units.append(found.unit)
        joined.marked.append(bool(found.label))
    return joined


def evaluation(scoring: Scoring, joined: Joined, alert_share: float) -> Evaluation:
    """Measure the scores on a sample.

    Args:
        scoring: what they are.
        joined: the sample.
        alert_share: of the records with the highest scores that count as alerts, in (0, 1].

    Raises:
        UserError: nothing in the sample is marked, or all of it is.
    """
    marked = joined.marked
    if not any(marked) or all(marked):
        raise UserError(
            f"Nothing to evaluate: {len(marked)} records have a score and a label, and {scoring.label} marks "
            f"{sum(marked)} of them. Run `make seed` and then `make run-features`."
        )
    alerts = max(1, round(len(marked) * alert_share))
    within_unit = f"{scoring.baseline} within {scoring.baseline_unit}"
    scores = [
        _quality(scoring.score, joined.scores, marked, alerts),
        _quality(scoring.baseline, joined.baselines, marked, alerts),
        _quality(within_unit, percentiles(joined.baselines, joined.units), marked, alerts),
    ]
    lead = scores[0].roc_auc - max(max(other.roc_auc, 1 - other.roc_auc) for other in scores[1:])
    return Evaluation(len(marked), sum(marked), alerts, scores, lead)


def evaluate(
    group: Annotated[
        str | None, typer.Option(help="Feature group.", show_default="the first that can be evaluated")
    ] = None,
    alerts: Annotated[float, typer.Option(min=0.001, max=100, help="Percent of records to alert on.")] = 1.0,
    features: Features = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """How well a group's score finds what the source's label marks, beside one field alone."""
    settings = load_settings(features=features)
    definition, scoring = _scored_group(load_registry(settings.features), group)
    feature_log = feature_log_topic(definition.name, settings.output_prefix).name
    with (
        Terminal(stderr=True).status(f"Reading {feature_log} and {definition.topic} ..."),
        closing(read_topic(settings, feature_log)) as scored,
        closing(read_topic(settings, definition.topic)) as source,
    ):
        joined = join_logs(definition, scoring, scored, source)
    result = evaluation(scoring, joined, alerts / 100)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result)))
    else:
        Terminal().print(as_table(result))


def as_table(result: Evaluation) -> Table:
    """A result for a person."""
    share = result.alerts / result.records
    table = Table(
        "score",
        "ROC-AUC",
        f"precision at {share:.1%} alerts",
        "recall there",
        title=f"{result.records:,} records, {result.marked:,} marked ({result.marked / result.records:.2%})",
        caption=f"{result.scores[0].score} leads by {result.auc_lead:+.3f} ROC-AUC,\n"
        f"{result.scores[1].score} read either way",
        box=box.SIMPLE_HEAD,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for quality in result.scores:
        table.add_row(quality.score, f"{quality.roc_auc:.3f}", f"{quality.precision:.1%}", f"{quality.recall:.1%}")
    return table


class _Scored(msgspec.Struct, gc=False):
    """What is needed of a feature-log record."""

    event_id: str
    partition: int
    offset: int
    features: dict[str, Any]


def _scored_group(registry: Registry, name: str | None) -> tuple[FeatureGroup, Scoring]:
    groups = registry if name is None else [registry.named(name)]
    for group in groups:
        if group.scoring is not None:
            return group, group.scoring
    raise UserError(f"{name or 'No group'} has no score that could be evaluated: its definition names no Scoring.")


def _labels(group: FeatureGroup, scoring: Scoring) -> Callable[[bytes], Any]:
    """Decodes what is needed of a source record; None when its place is taken by something else."""
    kind = msgspec.defstruct(
        "Labelled",
        [("id", str), ("baseline", Decimal), ("unit", str), ("label", bool | int | None, None)],
        rename={"id": group.id, "baseline": scoring.baseline, "unit": scoring.baseline_unit, "label": scoring.label},
    )
    decode = msgspec.json.Decoder(kind).decode

    def decoded(value: bytes) -> Any:
        try:
            return decode(value)
        except UNDECODABLE:
            return None

    return decoded


def _quality(name: str, scores: list[float], marked: list[bool], alerts: int) -> Quality:
    hits = hits_at(scores, marked, alerts)
    return Quality(name, roc_auc(scores, marked), hits / alerts, hits / sum(marked))
