"""Settings that must not show in the results, and a feature that fails."""

from signal import SIGKILL
from typing import Any

import pytest

from tests.loop.injected import Injection, make_fail
from tests.loop.lab import Lab, Run
from tests.loop.outputs import Outputs, assert_same
from tests.reference import GROUPS, computing
from twinstream.loop.commit import Step


@pytest.mark.parametrize(
    "settings",
    [{"max_poll_records": 23}, {"max_poll_records": 5_000}, {"cache_entities": 10}, {"cache_entities": 1}],
    ids=lambda settings: "-".join(f"{name}={value}" for name, value in settings.items()),
)
def test_batch_size_and_cache_cannot_be_told_from_the_results(
    run: Run, reference: Outputs, settings: dict[str, Any]
) -> None:
    run.finish(**settings)
    assert_same(run.outputs(), reference)


@pytest.fixture
def expected_with_failures(lab: Lab, reference: Outputs) -> Outputs:
    """What comes out when `amount_max` raises for some amounts."""
    group = GROUPS["transaction"]
    with computing(group, group.features):
        make_fail("amount_max")
        return lab.replayed()


def test_a_feature_that_raises_sets_records_aside_and_a_crash_repeats_it(
    run: Run, reference: Outputs, expected_with_failures: Outputs
) -> None:
    letters = [value for _, _, value in expected_with_failures["transactions.dlq"] if b'"internal"' in value]
    assert letters
    assert all(b'"detail":"amount_max raised ZeroDivisionError"' in value for value in letters)
    crash = Injection(SIGKILL, Step.FEATURES_WRITTEN, times=6, failing_feature="amount_max")
    run.start(inject=crash).until_killed()
    run.finish(inject=Injection(failing_feature="amount_max"))
    assert_same(run.outputs(), expected_with_failures)
    assert records_of(run.outputs()) == records_of(reference)


def records_of(outputs: Outputs) -> int:
    """How many transactions went into features and dead letters."""
    return len(outputs["features.transaction"]) + len(outputs["transactions.dlq"])
