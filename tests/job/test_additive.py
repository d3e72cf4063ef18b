"""A savepoint made before groups or features came, went or came back is continued: the others' bytes are as ever.

Two groups come to the topic of another while it runs: `spending` decodes as that does, `domestic` does not.
"""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests import definitions
from tests.definitions.domestic import domestic
from tests.definitions.spending import spending
from tests.job.lab import FlinkRun, wait_for
from tests.loop.groups import clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import Outputs, assert_same, line_of, replayed
from tests.reference import GROUPS
from twinstream.core.feature_group import FeatureGroup
from twinstream.job.command import last_failure
from twinstream.log.kafka import read_topic
from twinstream.registry import Registry

pytestmark = pytest.mark.timeout(600)

Line = tuple[int, bytes | None, bytes | None]
EVENTS = 20_000
LETTERS = "transactions.dlq"
DEFINITIONS = Path(definitions.__path__[0])


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
    alike, unlike = (shutil.copy(DEFINITIONS / file, tmp_path) for file in ("spending.py", "domestic.py"))
    job, savepoint, letters = cluster_job(mode, 2), None, []
    for step, groups in enumerate(
        [
            ["features.transaction", "features.clickstream"],
            ["features.transaction", "features.clickstream", "features.order", alike],
            ["features.transaction", clicks, alike, unlike],
        ]
    ):
        lab.send(messages[step::4])
        job.compute(*groups, savepoint=savepoint)
        job.until_all_move_on()
        savepoint = job.savepoint()
        letters.append(run.outputs()[LETTERS])
    lab.send(messages[3::4])
    orders_before = run.outputs()
    job.compute("features.order", clicks, unlike, "features.transaction", savepoint=savepoint)
    job.finish()
    outputs, expected = run.outputs(), lab.replayed()
    assert_groups_of_the_transactions_are_as_if_alone(lab, run, outputs, letters)
    outputs[LETTERS] = expected[LETTERS]
    assert_same(of("transaction", outputs), of("transaction", expected))
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(expected["features.clickstream"])
    assert_same(of_clicks, of("clickstream", expected))
    for log in ("features.order", "orders.dlq"):
        begun_anew(outputs[log], orders_before[log], expected[log])
        outputs[log] = expected[log]
    assert_same(of("order", outputs), of("order", expected))


CHANGING = """
from features.clickstream import clickstream_features
from twinstream import Family, Window

more = Family("more")


@more.feature(unit="events", meaning="A multiple of the events in the window.")
def multiple(window: Window) -> int:
    return {factor} * window.count


changing = clickstream_features.next_version([more], more.features)
__all__ = ["changing"]
"""


def test_a_module_that_changed_is_not_computed_with_what_an_earlier_job_in_thread_mode_loaded(
    lab: Lab, run: Run, cluster_job: Callable[[str, int], FlinkRun], tmp_path: Path
) -> None:
    lab.create_sources()
    lab.send(mixed_messages(2_000))
    file, job = tmp_path / "changing.py", cluster_job("thread", 4)
    file.write_text(CHANGING.format(factor=2))
    job.compute("features.transaction", str(file))
    job.until_all_move_on()
    job.cancel()
    file.write_text(CHANGING.format(factor=3))
    job.start()
    wait_for(lambda: "changing.py for an earlier job" in last_failure(job.rest, job.job), "the refusal")


def assert_groups_of_the_transactions_are_as_if_alone(
    lab: Lab, run: Run, outputs: Outputs, letters: Sequence[Sequence[Line]]
) -> None:
    """`spending` until it went, `domestic` to the end, and the dead letters of all.

    Args:
        lab, run: the log, and what the job has made of it.
        outputs: the same, read already.
        letters: the dead letters after each of the first steps.
    """
    records = {"transactions": lab.sources()["transactions"]}
    of_one, of_alike, of_other = (
        replayed(records, Registry([group])) for group in (GROUPS["transaction"], spending, domestic)
    )
    assert_same(features(domestic, outputs), features(domestic, of_other))
    assert log_of(domestic, lab, run) == by_partition(of_other["features.domestic"])
    until_it_went = log_of(spending, lab, run)
    for number, whole in by_partition(of_alike["features.spending"]).items():
        assert until_it_went[number]
        assert until_it_went[number] == whole[: len(until_it_went[number])]

    refused, refused_by_other = by_partition(of_one[LETTERS]), by_partition(of_other[LETTERS])
    for before in letters[:2]:
        for number, lines in by_partition(before).items():
            distinct = list(dict.fromkeys(lines))
            assert distinct == refused[number][: len(distinct)]
            assert all(is_duplicate(line) for line in written_twice(lines)), "else one with the same decoder wrote it"
    for number, lines in by_partition(outputs[LETTERS]).items():
        one, other = set(refused[number]), set(refused_by_other[number])
        assert set(lines) == one | other
        assert all(is_duplicate(line) or line in one & other for line in written_twice(lines))


def written_twice(lines: Sequence[Line]) -> list[Line]:
    return [line for line, count in Counter(lines).items() if count > 1]


def is_duplicate(line: Line) -> bool:
    """Whether a dead letter says what depends on a group's own states: each group that comes says so itself."""
    return b'"reason":"duplicate"' in (line[2] or b"")


def features(group: FeatureGroup, outputs: Outputs) -> Outputs:
    return {name: made for name, made in outputs.items() if name.startswith(f"features:{group.name}:")}


def log_of(group: FeatureGroup, lab: Lab, run: Run) -> dict[int, list[Line]]:
    """The feature log of a group that is none of the reference."""
    records = read_topic(lab.broker.servers, f"{run.group}.features.{group.name}")
    return by_partition([line_of(record) for record in records])


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
