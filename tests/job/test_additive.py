"""A savepoint made before groups or features came, went or came back is continued: the others' bytes are as ever."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.job.lab import FlinkRun, wait_for
from tests.loop.groups import by_topic, clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import assert_same
from twinstream.definitions import load_registry

pytestmark = pytest.mark.timeout(600)

Line = tuple[int, bytes | None, bytes]
EVENTS = 20_000


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose log grows while the tests run; the other tests' must not."""
    with Lab(tmp_path_factory.mktemp("additive-lab")) as lab:
        yield lab


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_groups_and_features_come_and_go_and_the_others_continue_from_the_savepoint(
    mode: str, lab: Lab, run: Run, cluster_job: Callable[[str, int], FlinkRun], tmp_path: Path
) -> None:
    lab.create_sources()
    messages = list(mixed_messages(EVENTS))
    clicks = clicks_with_another_feature(tmp_path)
    job, savepoint = cluster_job(mode, 2), None
    for step, groups in enumerate(
        [
            ["features.transaction", "features.clickstream"],
            ["features.transaction", "features.clickstream", "features.order"],
            ["features.transaction", clicks],
        ]
    ):
        lab.send(messages[step::4])
        before, wanted = by_topic(run.progress()), set(load_registry(",".join(groups)).topics)
        job.compute(*groups, savepoint=savepoint)
        wait_for(
            lambda before=before, wanted=wanted: wanted <= (by_topic(run.progress()) - before).keys(), "all move on"
        )
        savepoint = job.savepoint()
    lab.send(messages[3::4])
    orders_before = run.outputs()
    job.compute("features.order", clicks, "features.transaction", savepoint=savepoint)
    job.finish()
    outputs, expected = run.outputs(), lab.replayed()
    assert_same(of("transaction", outputs), of("transaction", expected))
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(expected["features.clickstream"])
    assert_same(of_clicks, of("clickstream", expected))
    for log in ("features.order", "orders.dlq"):
        begun_anew(outputs[log], orders_before[log], expected[log])
        outputs[log] = expected[log]
    assert_same(of("order", outputs), of("order", expected))


def begun_anew(lines: Sequence[Line], before: Sequence[Line], expected: Sequence[Line]) -> None:
    """What a group that went had in its log stays there; when it is back, everything follows once more."""
    made, first, whole = by_partition(lines), by_partition(before), by_partition(expected)
    for number, every in whole.items():
        had = first[number]
        assert had == every[: len(had)]
        assert made[number] == had + every


def by_partition(lines: Sequence[Line]) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        found[line[0]].append(line)
    return found
