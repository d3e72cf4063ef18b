"""The job's metrics: the loop's names, and histograms made of counters."""

import pytest

from twinstream.core.partition import Applied
from twinstream.job.metrics import StageMetrics
from twinstream.log.contract import Record
from twinstream.loop.loop_metrics import LoopMetrics


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def inc(self, n: int = 1) -> None:
        self.value += n


class Group:
    """A metric group that remembers its counters by name and labels."""

    def __init__(self, counters: dict[str, Counter], labels: str = "") -> None:
        self._counters = counters
        self._labels = labels

    def add_group(self, name: str, extra: str | None = None) -> "Group":
        return Group(self._counters, f"{self._labels},{name}={extra}")

    def counter(self, name: str) -> Counter:
        return self._counters.setdefault(name + self._labels, Counter())


@pytest.fixture
def counters() -> dict[str, Counter]:
    """Of a batch of three records that took 30 ms, the oldest two seconds after it was appended."""
    counters: dict[str, Counter] = {}
    metrics = StageMetrics(Group(counters), now_ms=lambda: 10_000.0)
    records = [Record("orders", 0, at, timestamp, None, None) for at, timestamp in enumerate((8_000, 9_990, 9_999))]
    metrics.processed({"order": Applied()}, records, 0.03)
    metrics.state(5, 0)
    metrics.state(3, 1)
    return counters


def test_names_are_the_loops(counters: dict[str, Counter]) -> None:
    own = {name.partition(",")[0] for name in counters}
    known = LoopMetrics().names() | {"twinstream_entities_in_two_partitions_total"}
    assert own <= known


@pytest.mark.parametrize(("le", "within"), [("0.005", 1), ("0.01", 2), ("1.0", 2), ("2.0", 3), ("+Inf", 3)])
def test_buckets_are_cumulative(le: str, within: int, counters: dict[str, Counter]) -> None:
    assert counters[f"twinstream_end_to_end_seconds_bucket,le={le}"].value == within


def test_cached_entities_go_up_and_down(counters: dict[str, Counter]) -> None:
    assert counters["twinstream_cached_entities"].value == 3


def test_the_job_tells_how_far_a_fast_clock_is_ahead_as_the_loop_does() -> None:
    counters: dict[str, Counter] = {}
    metrics = StageMetrics(Group(counters))
    metrics.ahead("transactions", 2, None, 0)
    assert not counters
    for newest_ms, record_ms in [(29_000, 0), (30_000, 35_000)]:
        metrics.ahead("transactions", 1, newest_ms, record_ms)
    (told,) = counters.items()
    assert (told[0], told[1].value) == ("twinstream_event_time_ahead_seconds,topic=transactions,partition=1", -5)
    assert "twinstream_event_time_ahead_seconds" in LoopMetrics().names()
