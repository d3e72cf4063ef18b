"""A savepoint made before groups or features came, went or came back is continued: the others' bytes are as ever."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.job.lab import FlinkRun
from tests.loop.groups import clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Run
from tests.loop.outputs import Outputs, assert_same

pytestmark = pytest.mark.timeout(600)

Line = tuple[int, bytes | None, bytes]


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_groups_and_features_come_and_go_and_the_others_continue_from_the_savepoint(
    mode: str, reference: Outputs, run: Run, cluster_job: Callable[[str, int], FlinkRun], tmp_path: Path
) -> None:
    clicks = clicks_with_another_feature(tmp_path)
    job = cluster_job(mode, 2)
    job.compute("features.transaction", "features.clickstream")
    job.until_moving()
    job.compute("features.transaction", "features.clickstream", "features.order", savepoint=job.savepoint())
    job.until_moving()
    job.compute("features.transaction", clicks, savepoint=job.savepoint())
    job.until_moving()
    savepoint, before = job.savepoint(), run.outputs()
    job.compute("features.order", clicks, "features.transaction", savepoint=savepoint)
    job.finish()
    outputs = run.outputs()
    assert_same(of("transaction", outputs), of("transaction", reference))
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(reference["features.clickstream"])
    assert_same(of_clicks, of("clickstream", reference))
    for log in ("features.order", "orders.dlq"):
        begun_anew(outputs[log], before[log], reference[log])
        outputs[log] = reference[log]
    assert_same(of("order", outputs), of("order", reference))


def begun_anew(lines: Sequence[Line], before: Sequence[Line], reference: Sequence[Line]) -> None:
    """What a group that went had in its log stays there; when it is back, everything follows once more."""
    made, first, whole = by_partition(lines), by_partition(before), by_partition(reference)
    for number, expected in whole.items():
        had = first[number]
        assert had == expected[: len(had)]
        assert made[number] == had + expected


def by_partition(lines: Sequence[Line]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        found[line[0]].append(line)
    return found
