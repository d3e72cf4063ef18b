"""The golden cases on the pure partition code: no broker, no store, states in a dictionary."""

import msgspec
import pytest

from features.risk import RULES
from tests.features.events import as_dict
from tests.golden.cases import Case, ExpectedDeadLetter, Read, check, check_reads, load_cases, merged
from tests.reference import GROUPS
from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.core.partition import PartitionProcessor
from twinstream.core.rejection import REASONS
from twinstream.core.stamping import StampingLimits
from twinstream.core.state import EntityState, WindowConfig
from twinstream.core.vectors import FeatureRecord, encode_feature_record

CASES = load_cases()


class PartitionRunner:
    """Applies the records of a case; `batch` of them at a time."""

    def __init__(self, case: Case, batch: int = 1_000) -> None:
        settings = case.settings
        self.case = case
        self.batch = batch
        self.window = WindowConfig(settings.window_ms, settings.max_events)
        self.limits = StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms)
        self.states: dict[int, dict[str, EntityState]] = {}

    def run(self) -> tuple[list[FeatureRecord], list[DeadLetter]]:
        feature_records: list[FeatureRecord] = []
        dead_letters: list[DeadLetter] = []
        with self.case.injected():
            for number in sorted({record.partition for record in self.case.records}):
                partition = PartitionProcessor(GROUPS[self.case.group], self.window, self.limits, lambda record: record)
                states = self.states[number] = {}
                records = [record for record in self.case.records if record.partition == number]
                for start in range(0, len(records), self.batch):
                    applied = partition.apply(partition.stamp(records[start : start + self.batch]), states)
                    feature_records += applied.features
                    dead_letters += applied.dead_letters
        return feature_records, dead_letters

    def read(self, asked: Read) -> dict[str, object]:
        return as_dict(self.states[asked.partition][asked.entity].vector_at(asked.at_ms))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case: Case) -> None:
    runner = PartitionRunner(case)
    check(case, *runner.run())
    check_reads(case, runner.read)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_batches_cannot_be_told_from_the_results(case: Case) -> None:
    assert as_bytes(PartitionRunner(case, batch=1).run()) == as_bytes(PartitionRunner(case).run())


@pytest.mark.parametrize("case", merged(CASES), ids=lambda case: f"{case.group} {case.settings}")
def test_cases_side_by_side_on_partitions_do_not_disturb_one_another(case: Case) -> None:
    runner = PartitionRunner(case)
    check(case, *runner.run())
    check_reads(case, runner.read)


def test_every_reason_has_a_case() -> None:
    expected = (record.expected for case in CASES for record in case.records)
    assert {letter.reason for letter in expected if isinstance(letter, ExpectedDeadLetter)} == set(REASONS)


def test_every_risk_rule_has_a_firing_and_a_silent_case() -> None:
    names = {case.name for case in CASES}
    for rule in RULES:
        assert f"risk: {rule.name} fires" in names
        assert f"risk: {rule.name} stays silent" in names


def test_a_wrong_vector_is_found() -> None:
    case = CASES[0]
    features, dead_letters = PartitionRunner(case).run()
    wrong = msgspec.structs.replace(features[-1], features=features[0].features)
    with pytest.raises(AssertionError, match="expected "):
        check(case, [*features[:-1], wrong], dead_letters)


def test_a_missing_outcome_is_found() -> None:
    case = CASES[0]
    features, dead_letters = PartitionRunner(case).run()
    with pytest.raises(AssertionError, match="records in, "):
        check(case, features[:-1], dead_letters)


def test_a_record_emitted_twice_is_found() -> None:
    case = CASES[0]
    features, dead_letters = PartitionRunner(case).run()
    with pytest.raises(AssertionError, match="records in, "):
        check(case, [*features, features[0]], dead_letters)


def as_bytes(outcomes: tuple[list[FeatureRecord], list[DeadLetter]]) -> tuple[list[bytes], list[bytes]]:
    features, dead_letters = outcomes
    return [*map(encode_feature_record, features)], [*map(encode_dead_letter, dead_letters)]
