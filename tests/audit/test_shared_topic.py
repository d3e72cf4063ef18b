"""Parity of a topic that several groups read: feature logs group by group, and the dead letters of all together."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS
from tests.offline.logs import PARTITIONS, fill, settings
from tests.reference import TOGETHER
from twinstream.audit import parity, rederive
from twinstream.audit.comparing import Comparison, Pairs, compare
from twinstream.audit.parity import compare_runs
from twinstream.audit.rederive import RunLog, Sample, compare_logs, rederive_run
from twinstream.definitions import load_registry
from twinstream.log.kafka import Record
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.settings import Settings
from twinstream.testing import START_MS, Driver

SHARING = load_registry(TOGETHER)
SOURCE, LETTERS = "transactions", dead_letter_topic("transactions").name
FEATURE_LOGS = [feature_log_topic(name).name for name in SHARING.names]
EVERYTHING = Sample()


def outcome(result: Comparison) -> tuple[int, int, int]:
    return result.missing, result.extra, result.different


@cache
def processed() -> Driver:
    """A driver whose loop has been through a mixed log for all groups."""
    driver = Driver(SHARING, partitions=PARTITIONS, **SETTINGS)
    fill(driver, (each for each in mixed_messages(1_000, end_ms=START_MS) if each.topic == SOURCE))
    driver.run()
    return driver


def partitions_of(topic: str) -> list[list[Record]]:
    records = processed().broker.records(topic)
    return [[record for record in records if record.partition == number] for number in range(PARTITIONS)]


def rederived(
    letters: Sequence[Record] | None = None, first: int = 0, together: bool = False
) -> tuple[list[Comparison], Comparison]:
    """The comparisons of the feature logs and of the dead letters.

    Args:
        letters: instead of those of the run.
        first: the source has lost what is before.
        together: the results of all partitions are in one, of each group in another order.
    """
    sources = {number: (records[first:], len(records)) for number, records in enumerate(partitions_of(SOURCE))}

    def log(topic: str) -> list[list[Record]]:
        if not together:
            return partitions_of(topic)
        turn = -1 if topic in FEATURE_LOGS[1:] else 1
        return [sorted(processed().broker.records(topic), key=lambda row: (row.offset, turn * row.partition))]

    logs = [RunLog(log(topic), Pairs(topic)) for topic in FEATURE_LOGS]
    refused = RunLog(log(LETTERS) if letters is None else [letters], Pairs(LETTERS, several=True))
    compare_logs(list(SHARING), settings(), EVERYTHING, sources, logs, refused)
    return [log.pairs.result() for log in logs], refused.pairs.result()


def test_every_group_of_a_topic_equals_its_source_replayed() -> None:
    features, letters = rederived()
    assert [outcome(each) for each in (*features, letters)] == [(0, 0, 0)] * 4
    assert all(each.compared > 50 for each in features)
    assert letters.compared > features[0].compared - features[2].compared > 50


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("first", [1, 50, 150])
def test_where_the_source_has_lost_its_beginning_the_rest_of_every_group_is_compared(
    first: int, together: bool
) -> None:
    features, letters = rederived(first=first, together=together)
    assert [outcome(each) for each in (*features, letters)] == [(0, 0, 0)] * 4
    assert all(each.compared > 20 for each in (*features, letters))


def test_letters_count_in_whatever_order_and_however_often_they_were_written() -> None:
    """A group that comes to a running topic reads it from its beginning, and writes its letters behind the others'."""
    written = processed().broker.records(LETTERS)
    _, letters = rederived([*reversed(written), *written[:5]])
    assert outcome(letters) == (0, 0, 0)
    assert letters.compared == len(written)


def test_a_letter_that_is_not_there_or_another_one_is_told_all_the_same() -> None:
    _, changed, *rest = processed().broker.records(LETTERS)
    other = (changed.value or b"").replace(b'"detail":"', b'"detail":"not ')
    _, letters = rederived([*rest, Record(LETTERS, 0, 0, 0, None, other)])
    assert outcome(letters) == (1, 0, 1)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The run's topics are what Kafka has; of each topic named in here, so many records are lost in each partition."""
    lost: dict[str, int] = {}

    def read_topic(settings: Settings, topic: str, *, only: list[int]) -> Iterator[Record]:
        yield from partitions_of(topic)[only[0]][lost.get(topic, 0) :]

    def offsets(of: Callable[[str, int], int]) -> Callable[[Settings, str], dict[int, int]]:
        return lambda settings, topic: {number: of(topic, number) for number in range(PARTITIONS)}

    monkeypatch.setattr(rederive, "read_topic", read_topic)
    for name in ("committed_offsets", "end_offsets"):
        monkeypatch.setattr(rederive, name, offsets(lambda topic, number: len(partitions_of(topic)[number])))
    monkeypatch.setattr(rederive, "beginning_offsets", offsets(lambda topic, number: lost.get(topic, 0)))
    return lost


def test_a_run_is_compared_topic_by_topic_with_its_letters_once(lost: dict[str, int]) -> None:
    results = rederive_run(settings(), SHARING, EVERYTHING)
    assert [result.name for result in results] == [*FEATURE_LOGS, LETTERS]
    assert [outcome(result) for result in results] == [(0, 0, 0)] * 4


def test_one_group_of_a_shared_topic_is_compared_without_the_letters(lost: dict[str, int]) -> None:
    """Nobody can tell which of them are its own."""
    with capture_logs() as said:
        (result,) = rederive_run(settings(), SHARING, EVERYTHING, "domestic")
    assert (result.name, outcome(result)) == ("features.domestic", (0, 0, 0))
    assert [(line["topic"], line["event"]) for line in said] == [(SOURCE, "Dead letters are not compared")]


def test_letters_of_several_groups_that_have_lost_their_beginning_are_left_out(lost: dict[str, int]) -> None:
    lost[LETTERS] = 3
    with capture_logs() as said:
        results = rederive_run(settings(), SHARING, EVERYTHING)
    assert [result.name for result in results] == FEATURE_LOGS
    assert "Kafka has deleted the first of them" in said[0]["reason"]


ONE, OTHER, TWO = ("t-0@1", b"a"), ("t-0@1", b"b"), ("t-0@2", b"c")


def test_two_runs_letters_are_compared_once_a_topic_in_whatever_order_they_were_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    letters = {f"a.{LETTERS}": [ONE, OTHER, TWO], f"b.{LETTERS}": [OTHER, TWO, ONE, OTHER]}

    def log_rows(settings: Settings, topic: str) -> Iterator[tuple[str, bytes]]:
        read.append(topic)
        yield from letters.get(topic, ())

    monkeypatch.setattr(parity, "log_rows", log_rows)
    results = compare_runs(SHARING, Settings(output_prefix="a."), Settings(output_prefix="b."))
    assert [result.name for result in results] == [*FEATURE_LOGS, LETTERS]
    assert read == [f"{prefix}{name}" for name in (*FEATURE_LOGS, LETTERS) for prefix in ("a.", "b.")]
    assert (results[-1].compared, outcome(results[-1])) == (3, (0, 0, 0))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([ONE, OTHER, TWO], [TWO, OTHER, ONE], (3, 0, 0, 0)),
        ([ONE, OTHER], [ONE, OTHER, ONE, OTHER], (2, 0, 0, 0)),
        ([ONE, ONE], [ONE], (1, 0, 0, 0)),
        ([ONE, OTHER], [OTHER], (1, 1, 0, 0)),
        ([OTHER], [ONE, OTHER], (1, 0, 1, 0)),
        ([ONE, OTHER], [("t-0@1", b"x"), OTHER], (2, 0, 0, 1)),
    ],
    ids=["in another order", "again", "again on the left", "missing", "extra", "other bytes"],
)
def test_of_several_rows_of_a_record_equal_ones_are_pairs(
    left: Any, right: Any, expected: tuple[int, int, int, int]
) -> None:
    result = compare("letters", left, right, several=True)
    assert (result.compared, result.missing, result.extra, result.different) == expected


def test_some_records_of_these_runs_have_several_letters() -> None:
    letters = processed().dead_letters(SOURCE)
    places = {(letter.partition, letter.offset) for letter in letters}
    assert len(places) < len(letters) == len(set(letters))
