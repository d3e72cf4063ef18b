"""The golden cases on the job's partitions, with keyed state in memory: every case, whatever its settings."""

from random import Random

import pytest

from tests.golden.cases import Case, check, load_cases
from tests.job.memory import MemoryJob
from twinstream.core.dead_letters import DeadLetter, decode_dead_letter
from twinstream.core.vectors import FeatureRecord, decode_feature_record
from twinstream.log.contract import Record


def run_in_memory(case: Case) -> tuple[list[FeatureRecord], list[DeadLetter]]:
    """Feature records and dead letters of a case's records, each partition by itself."""
    settings = case.settings
    rows = []
    for partition in sorted({record.partition for record in case.records}):
        job = MemoryJob(
            case.topic,
            partition,
            window_size_minutes=settings.window_ms // 60_000,
            allowed_lateness_seconds=settings.lateness_ms // 1_000,
            max_future_skew_seconds=settings.max_future_skew_ms // 1_000,
            max_events_per_entity=settings.max_events,
            max_record_bytes=settings.max_record_bytes,
        )
        records = [
            Record(*(getattr(record, name) for name in Record.__struct_fields__))
            for record in case.records
            if record.partition == partition
        ]
        with case.injected():
            job.run(records, Random(0), 3)
        rows += job.rows
    letters = [decode_dead_letter(row.value) for row in rows if row.topic.endswith(".dlq")]
    return [decode_feature_record(row.value) for row in rows if not row.topic.endswith(".dlq")], letters


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
def test_golden_case(case: Case) -> None:
    check(case, *run_in_memory(case))
