"""`twinstream evaluate`: scores of the feature log against the labels of the source."""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from deploy.local import LocalKafka
from features.transaction import transaction_features
from twinstream.audit.evaluate import Evaluation, Joined, evaluation, join_logs
from twinstream.core.feature_group import Scoring
from twinstream.errors import UserError
from twinstream.log.kafka import Record

SCORING = Scoring("risk_score", label="label_fraud", baseline="amount", baseline_unit="currency")


def join(feature_log: list[Record], source: list[Record]) -> Joined:
    return join_logs(transaction_features, SCORING, feature_log, source)


def measure(joined: Joined, alert_share: float) -> Evaluation:
    return evaluation(SCORING, joined, alert_share)


def scored(offset: int, risk_score: float | None, event_id: str | None = None) -> Record:
    """A record of the feature log."""
    features = {"txn_count": 1, "risk_score": risk_score, "risk_reasons": []}
    content = {"event_id": event_id or f"t{offset}", "partition": 0, "offset": offset, "features": features}
    return Record("features.transaction", 3, 1_000 + offset, 0, None, msgspec.json.encode(content))


def labelled(offset: int, fraud: bool | int | None, amount: str = "10.00", currency: str = "EUR") -> Record:
    """A record of the source."""
    content: dict[str, Any] = {"transaction_id": f"t{offset}", "amount": amount, "currency": currency}
    if fraud is not None:
        content["label_fraud"] = fraud
    return Record("transactions", 0, offset, 0, None, msgspec.json.encode(content))


def test_scores_and_labels_are_joined_by_their_place_in_the_source() -> None:
    joined = join(
        [scored(2, 0.9), scored(0, 0.1)], [labelled(0, False), labelled(1, True), labelled(2, 1, "99.5", "JPY")]
    )

    assert joined == Joined([0.1, 0.9], [10.0, 99.5], ["EUR", "JPY"], [False, True])


def test_what_has_no_label_does_not_count() -> None:
    assert join([scored(0, 0.5)], [labelled(0, None)]).marked == []


def test_what_has_no_score_does_not_count() -> None:
    before, null = scored(0, 0.5), scored(1, None)
    before = msgspec.structs.replace(before, value=(before.value or b"").replace(b"risk_score", b"risk"))
    assert join([before, null, scored(2, 0.5)], [labelled(number, True) for number in range(3)]).scores == [0.5]


def test_records_of_a_topic_that_has_been_replaced_are_not_mixed_up() -> None:
    feature_log = [scored(0, 0.9, event_id="old"), scored(1, 0.9, event_id="old"), scored(1, 0.2)]
    broken = Record("transactions", 0, 0, 0, None, b"{")

    joined = join(feature_log, [broken, labelled(1, True)])

    assert joined.scores == [0.2]


def test_a_score_that_finds_all_fraud_leads_over_an_amount_that_tells_nothing() -> None:
    frauds = [number % 50 == 0 for number in range(1_000)]
    result = measure(Joined([0.9 if fraud else 0.1 for fraud in frauds], [5.0] * 1_000, ["EUR"] * 1_000, frauds), 0.01)

    assert (result.records, result.marked, result.alerts) == (1_000, 20, 10)
    risk, amount, _ = result.scores
    assert (risk.roc_auc, risk.precision, risk.recall) == (1.0, 1.0, 0.5)
    assert amount.roc_auc == 0.5
    assert amount.precision == pytest.approx(0.02)
    assert result.auc_lead == 0.5


def test_an_amount_that_is_right_when_read_backwards_counts_as_such() -> None:
    result = measure(Joined([0.4, 0.6, 0.5], [1.0, 2.0, 3.0], ["EUR"] * 3, [True, False, False]), 0.5)

    assert [quality.roc_auc for quality in result.scores[:2]] == [0.0, 0.0]
    assert result.auc_lead == -1.0


def test_the_lead_is_over_the_better_of_the_amounts() -> None:
    result = measure(
        Joined([0.0, 0.0, 0.0, 0.0], [2.0, 1.0, 200.0, 100.0], ["EUR", "EUR", "JPY", "JPY"], [True, False] * 2), 0.5
    )

    assert [quality.roc_auc for quality in result.scores] == [0.5, 0.75, 1.0]
    assert result.auc_lead == -0.5


@pytest.mark.parametrize("frauds", [[], [False, False], [True]])
def test_without_fraud_and_its_opposite_there_is_nothing_to_evaluate(frauds: list[bool]) -> None:
    size = len(frauds)
    with pytest.raises(UserError, match=rf"{size} records .* label_fraud marks {sum(frauds)} of them.*make seed"):
        measure(Joined([0.1] * size, [1.0] * size, ["EUR"] * size, frauds), 0.01)


def evaluate(servers: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type the command."""
    return subprocess.run(
        [sys.executable, "-m", "store", "evaluate", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"KAFKA_SERVERS": servers, "COLUMNS": "120", "PATH": "/usr/bin:/bin"},
    )


def test_the_command_reads_both_logs_from_kafka(fresh_topics: LocalKafka) -> None:
    producer = KafkaProducer(bootstrap_servers=fresh_topics.servers)
    for offset in range(200):
        fraud = offset % 10 == 0
        producer.send("transactions", labelled(offset, fraud, str(offset)).value, partition=0)
        producer.send("features.transaction", scored(offset, 0.7 if fraud else 0.2).value, partition=offset % 4)
    producer.close()

    table = evaluate(fresh_topics.servers)
    data = json.loads(evaluate(fresh_topics.servers, "--alerts", "5", "--json").stdout)

    assert table.returncode == 0, table.stderr
    assert "200 records, 20 marked (10.00%)" in table.stdout
    assert "precision at 1.0% alerts" in table.stdout
    assert data["alerts"] == 10
    assert data["scores"][0] == {"score": "risk_score", "roc_auc": 1.0, "precision": 1.0, "recall": 0.5}


def test_topics_without_records_are_one_line(fresh_topics: LocalKafka) -> None:
    shown = evaluate(fresh_topics.servers)

    assert shown.returncode == 2
    assert shown.stderr.startswith("error: Nothing to evaluate")
    assert shown.stderr.count("\n") == 1
