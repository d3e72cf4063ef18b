"""`python -m store evaluate`: how well `risk_score` finds fraud, beside the amount alone.

The score is the one in the feature log: what was known when the transaction arrived. The truth is `label_fraud` of the
same record in the source topic, which no feature sees. Transactions that were set aside have no score and do not count.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.table import Table

from features.groups import GROUPS
from twinstream.audit.comparing import UNDECODABLE
from twinstream.audit.ranking import hits_at, percentiles, roc_auc
from twinstream.errors import UserError
from twinstream.log.kafka import Record, read_topic
from twinstream.log.rows import row_decoder
from twinstream.log.topics import feature_log_topic
from twinstream.settings import load_settings
from twinstream.terminal import Terminal

GROUP = GROUPS["transaction"]


class _Scored(msgspec.Struct, gc=False):
    """What is needed of a feature-log record."""

    class Features(msgspec.Struct, gc=False):
        risk_score: float

    event_id: str
    partition: int
    offset: int
    features: Features


class _Labelled(msgspec.Struct, gc=False):
    """What is needed of a source record."""

    transaction_id: str
    amount: Decimal
    currency: str
    label_fraud: bool | int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Transactions that have both a score and a label, one place in every list for each."""

    risk_scores: list[float]
    amounts: list[float]
    currencies: list[str]
    frauds: list[bool]


class Quality(msgspec.Struct, frozen=True):
    """How well one score ranks fraud.

    Attributes:
        score: its name.
        roc_auc: chance that a fraud scores above a legitimate transaction.
        precision: share of frauds among the alerts.
        recall: share of the frauds that the alerts contain.
    """

    score: str
    roc_auc: float
    precision: float
    recall: float


class Evaluation(msgspec.Struct, frozen=True):
    """The result.

    Attributes:
        transactions, frauds: how many were compared, and how many of these are fraud.
        alerts: how many of the highest scores count as alerts.
        scores: the quality of each score; the first is the risk score.
        auc_lead: by how much its ROC-AUC exceeds the best of the others, where an amount may also be read backwards:
            if small amounts are the suspicious ones, that counts for it.
    """

    transactions: int
    frauds: int
    alerts: int
    scores: list[Quality]
    auc_lead: float


def sample(feature_log: Iterable[Record], source: Iterable[Record]) -> Sample:
    """Join the two logs by place and id; records without a label, are left out."""
    scores: dict[tuple[int, int], tuple[str, float]] = {}
    for record in feature_log:
        scored = _decode_scored(record)
        scores[scored.partition, scored.offset] = (scored.event_id, scored.features.risk_score)
    joined = Sample([], [], [], [])
    for record in source:
        event_id, score = scores.get((record.partition, record.offset), ("", 0.0))
        if not event_id:
            continue
        labelled = _labelled(record.value or b"")
        if labelled is None or labelled.label_fraud is None or labelled.transaction_id != event_id:
            continue
        joined.risk_scores.append(score)
        joined.amounts.append(float(labelled.amount))
        joined.currencies.append(labelled.currency)
        joined.frauds.append(bool(labelled.label_fraud))
    return joined


def evaluation(joined: Sample, alert_share: float) -> Evaluation:
    """Measure the scores on a sample.

    Args:
        joined: the sample.
        alert_share: of the transactions with the highest scores that count as alerts, in (0, 1].

    Raises:
        UserError: there is no fraud in the sample, or nothing else.
    """
    frauds = joined.frauds
    if not any(frauds) or all(frauds):
        raise UserError(
            f"Nothing to evaluate: {len(frauds)} transactions have a score and a label, {sum(frauds)} of them fraud. "
            'Run "make seed" and then "make run-features".'
        )
    alerts = max(1, round(len(frauds) * alert_share))
    scores = [
        _quality("risk_score", joined.risk_scores, frauds, alerts),
        _quality("amount", joined.amounts, frauds, alerts),
        _quality("amount within its currency", percentiles(joined.amounts, joined.currencies), frauds, alerts),
    ]
    lead = scores[0].roc_auc - max(max(other.roc_auc, 1 - other.roc_auc) for other in scores[1:])
    return Evaluation(len(frauds), sum(frauds), alerts, scores, lead)


def evaluate(
    alerts: Annotated[float, typer.Option(min=0.001, max=100, help="Percent of transactions to alert on.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """How well risk_score finds the labelled frauds in the stream, beside the amount alone."""
    settings = load_settings()
    feature_log = feature_log_topic(GROUP.name, settings.output_prefix).name
    with (
        Terminal(stderr=True).status(f"Reading {feature_log} and {GROUP.topic} ..."),
        closing(read_topic(settings, feature_log)) as scored,
        closing(read_topic(settings, GROUP.topic)) as source,
    ):
        joined = sample(scored, source)
    result = evaluation(joined, alerts / 100)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(result)))
    else:
        Terminal().print(as_table(result))


def as_table(result: Evaluation) -> Table:
    """A result for a person."""
    share = result.alerts / result.transactions
    table = Table(
        "score",
        "ROC-AUC",
        f"precision at {share:.1%} alerts",
        "recall there",
        title=f"{result.transactions:,} transactions, {result.frauds:,} frauds "
        f"({result.frauds / result.transactions:.2%})",
        caption=f"risk_score leads by {result.auc_lead:+.3f} ROC-AUC,\namounts read either way",
        box=box.SIMPLE_HEAD,
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for quality in result.scores:
        table.add_row(quality.score, f"{quality.roc_auc:.3f}", f"{quality.precision:.1%}", f"{quality.recall:.1%}")
    return table


def _quality(name: str, scores: list[float], frauds: list[bool], alerts: int) -> Quality:
    hits = hits_at(scores, frauds, alerts)
    return Quality(name, roc_auc(scores, frauds), hits / alerts, hits / sum(frauds))


def _labelled(value: bytes) -> _Labelled | None:
    """The record; None when its place is taken by something else, because the topic has been replaced."""
    try:
        return _decode_labelled(value)
    except UNDECODABLE:
        return None


_decode_scored = row_decoder(_Scored, "feature record")
_decode_labelled: Callable[[bytes], _Labelled] = msgspec.json.Decoder(_Labelled).decode
