"""What Prometheus makes of the names under which Flink reports the job's metrics."""

import re

import pytest
import yaml

from deploy.local.paths import ROOT

SCRAPES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
OPERATOR = "flink_taskmanager_job_task_operator_"


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        (f"{OPERATOR}group_outcome_twinstream_events_total", "twinstream_events_total"),
        (f"{OPERATOR}topic_reason_twinstream_dead_letters_total", "twinstream_dead_letters_total"),
        (f"{OPERATOR}le_twinstream_end_to_end_seconds_bucket", "twinstream_end_to_end_seconds_bucket"),
        (f"{OPERATOR}twinstream_cached_entities", "twinstream_cached_entities"),
        (f"{OPERATOR}topic_partition_twinstream_consumer_lag", "twinstream_consumer_lag"),
        (f"{OPERATOR}numRecordsOut", f"{OPERATOR}numRecordsOut"),
        ("twinstream_batch_seconds_count", "twinstream_batch_seconds_count"),
    ],
)
@pytest.mark.parametrize("scrape", SCRAPES, ids=lambda scrape: scrape["job_name"])
def test_job_metrics_get_the_loops_names(scrape: dict[str, object], reported: str, kept: str) -> None:
    name = reported
    for rule in scrape["metric_relabel_configs"]:  # type: ignore[attr-defined]
        match = re.fullmatch(rule["regex"], name)
        if match:
            name = match.expand(rule["replacement"].replace("$", "\\"))
    assert name == kept
