"""The golden cases on the whole loop and its commit protocol, with the log in memory; states there, and in Redis."""

import pytest

from tests.features.events import as_dict
from tests.golden.cases import Case, Read, check, check_reads, load_cases
from tests.reference import REGISTRY
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.state import WindowConfig
from twinstream.core.vectors import FeatureRecord
from twinstream.online.contract import OnlineStore
from twinstream.online.reader import Reader
from twinstream.online.redis.store import RedisStore
from twinstream.testing import Driver


class DriverRunner:
    """Sends the records of a case to the test driver, its clock at each record's timestamp."""

    def __init__(self, case: Case, store: OnlineStore | None) -> None:
        settings = case.settings
        self.case = case
        self.driver = Driver(
            store=store,
            partitions=1 + max(record.partition for record in case.records),
            window_size_minutes=settings.window_ms // 60_000,
            allowed_lateness_seconds=settings.lateness_ms // 1_000,
            max_future_skew_seconds=settings.max_future_skew_ms // 1_000,
            max_events_per_entity=settings.max_events,
            max_record_bytes=settings.max_record_bytes,
        )
        self.reader = Reader(self.driver.store, REGISTRY, WindowConfig(settings.window_ms, settings.max_events))

    def run(self) -> tuple[list[FeatureRecord], list[DeadLetter]]:
        driver = self.driver
        for record in self.case.records:
            driver.now_ms = record.timestamp
            stamped_ms = None if record.append_timed else record.timestamp
            driver.broker.append(record.topic, record.partition, record.key, record.value, stamped_ms=stamped_ms)
        with self.case.injected():
            driver.run()
        return driver.feature_records(self.case.group), driver.dead_letters(self.case.topic)

    def read(self, asked: Read) -> dict[str, object]:
        reading = self.reader.read(self.case.group, asked.entity, asked.at_ms)
        assert reading is not None
        assert reading.partition == asked.partition
        return as_dict(reading.vector)


@pytest.fixture(params=["in-process", "redis"])
def store(request: pytest.FixtureRequest) -> OnlineStore | None:
    """The driver's own, or Redis."""
    if request.param == "in-process":
        return None
    return RedisStore(request.getfixturevalue("redis_client"), "twinstream", "there")


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
def test_golden_case(case: Case, store: OnlineStore | None) -> None:
    runner = DriverRunner(case, store)
    check(case, *runner.run())
    check_reads(case, runner.read)
