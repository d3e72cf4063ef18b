"""The dashboard on what the loop serves. On what the job serves: `test_parity`, where jobs run anyway."""

import pytest
from prometheus_client import Histogram

from tests.job.dashboard import Series, series, without_source
from twinstream.loop.loop_metrics import LoopMetrics


@pytest.fixture
def loops() -> Series:
    """The labels that the loop's metrics have, by name."""
    registry = LoopMetrics().registry
    return {
        name: {*collector._labelnames, "instance", *(("le",) if isinstance(collector, Histogram) else ())}
        for collector, names in registry._collector_to_names.items()
        for name in names
    }


def test_every_panel_has_a_source_in_the_loop(loops: Series) -> None:
    assert without_source(loops) == []


def test_a_query_whose_label_is_not_served_is_found_out(loops: Series) -> None:
    assert without_source({**loops, "twinstream_consumer_lag": {"instance"}}) == ["Consumer lag"]


def test_flinks_names_and_labels_are_read() -> None:
    flinks = 'flink_taskmanager_job_task_operator_le_twinstream_batch_seconds_bucket{host="",le="0.5",} 3.0\n'
    assert series(flinks) == {"twinstream_batch_seconds_bucket": {"host", "le", "instance"}}
