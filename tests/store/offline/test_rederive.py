"""Re-deriving a run from its source: nothing differs, until somebody changes a line of a feature."""

import re
import urllib.request
from dataclasses import replace
from typing import Any

import pytest

from features.catalog import FeatureGroup
from features.groups import GROUPS
from flink.testing import START_MS, Driver
from runtime.kafka import Record
from runtime.topics import dead_letter_topic, feature_log_topic
from store.comparing import Comparison, Pairs
from store.rederive import Sample, Span, compare_partition, watch, with_full_windows
from tests.flink.logs import mixed_messages
from tests.flink.outputs import SETTINGS
from tests.store.offline.logs import EVERY_GROUP, PARTITIONS, fill, processed, settings

every_group = pytest.mark.parametrize("group", EVERY_GROUP, ids=lambda group: group.name)
TRANSACTION = GROUPS["transaction"]
EVERYTHING = Sample()


def outcome(result: Comparison) -> tuple[int, int, int]:
    return result.missing, result.extra, result.different


def rederived(
    driver: Driver, group: FeatureGroup, sample: Sample = EVERYTHING, first: int = 0, end: int | None = None
) -> tuple[Comparison, Comparison]:
    """Both comparisons of a run whose source begins at `first` by now, in all partitions, and counts up to `end`."""
    pairs = Pairs("features"), Pairs("dead letters")
    parts = [driver.broker.records(name) for name in names(group)]
    ends = {number: sum(record.partition == number for record in parts[0]) for number in range(PARTITIONS)}
    spans = {number: Span(first, ends[number] if end is None else end) for number in range(PARTITIONS)}
    spans = with_full_windows(spans, parts[1], settings())
    for number in range(PARTITIONS):
        source, log, letters = ([record for record in part if record.partition == number] for part in parts)
        compare_partition(group, settings(), sample, source[first:], log, letters, spans, pairs)
    return pairs[0].result(), pairs[1].result()


def names(group: FeatureGroup) -> tuple[str, str, str]:
    """The topics of a run: source, feature log, dead letters."""
    return group.topic, feature_log_topic(group.name).name, dead_letter_topic(group.topic).name


@every_group
def test_a_run_equals_its_source_replayed(group: FeatureGroup) -> None:
    features, letters = rederived(processed(), group)
    assert outcome(features) == outcome(letters) == (0, 0, 0)
    assert features.compared > 100
    assert letters.compared > 10


def test_a_sample_is_of_whole_entities_and_always_the_same() -> None:
    whole, _ = rederived(processed(), TRANSACTION)
    some, letters = rederived(processed(), TRANSACTION, Sample(share=0.3))
    again, _ = rederived(processed(), TRANSACTION, Sample(share=0.3))
    assert outcome(some) == (0, 0, 0)
    assert 0.1 * whole.compared < some.compared == again.compared < 0.6 * whole.compared
    assert letters.compared == 0
    one, _ = rederived(processed(), TRANSACTION, Sample(entities=frozenset({"card_hot"})))
    assert outcome(one) == (0, 0, 0)
    assert one.compared > 20


def test_results_that_are_not_committed_yet_do_not_count() -> None:
    whole, _ = rederived(processed(), TRANSACTION)
    features, letters = rederived(processed(), TRANSACTION, end=200)
    assert outcome(features) == outcome(letters) == (0, 0, 0)
    assert 0 < features.compared < whole.compared


@pytest.mark.parametrize("first", [1, 150, 300])
def test_where_the_source_has_lost_its_beginning_the_rest_is_compared(first: int) -> None:
    features, letters = rederived(processed(), TRANSACTION, first=first)
    assert outcome(features) == outcome(letters) == (0, 0, 0)
    assert features.compared > 100


@every_group
def test_rows_are_paired_by_where_they_come_from_not_by_where_they_are(group: FeatureGroup) -> None:
    """Without keys a runtime may write a result into another partition than its record's, or into one more."""
    source, log, letters = (processed().broker.records(name) for name in names(group))
    pairs = Pairs("features"), Pairs("dead letters")
    spans = {number: Span(0, len(source)) for number in range(PARTITIONS)}
    for number in range(PARTITIONS + 1):
        read = [record for record in source if record.partition == number]
        scattered = [
            [each for at, each in enumerate(part) if at % (PARTITIONS + 1) == number] for part in (log, letters)
        ]
        compare_partition(group, settings(), EVERYTHING, read, *scattered, spans, pairs)
    features, set_aside = (each.result() for each in pairs)
    assert outcome(features) == outcome(set_aside) == (0, 0, 0)
    assert (features.compared, set_aside.compared) == (len(log), len(letters))


@pytest.fixture
def skewed() -> Driver:
    """A run by code in which one line of a feature was another; the code has been mended since."""
    genuine = TRANSACTION.features

    def one_too_many_now_and_then(window: Any) -> int:
        return window.count + (window.count == 7)

    TRANSACTION.use_features(
        [replace(each, compute=one_too_many_now_and_then) if each.name == "txn_count" else each for each in genuine]
    )
    try:
        driver = Driver(partitions=PARTITIONS, **SETTINGS)
        fill(driver, mixed_messages(1_000, end_ms=START_MS))
        driver.run()
    finally:
        TRANSACTION.use_features(genuine)
    return driver


def test_a_skew_of_one_line_in_a_feature_is_caught_and_named(skewed: Driver) -> None:
    features, letters = rederived(skewed, TRANSACTION)
    assert (features.missing, features.extra) == (0, 0)
    assert features.different > 0
    assert all(re.search(r"transactions-\d@\d+: txn_count 7 / 8$", line) for line in features.shown)
    assert outcome(letters) == (0, 0, 0)


def test_what_a_run_lost_or_made_up_is_told_apart() -> None:
    driver = processed()
    name = feature_log_topic("transaction").name
    log = [record for record in driver.broker.records(name) if record.partition == 0]
    source = [record for record in driver.broker.records("transactions") if record.partition == 0]
    twice = Record(name, 0, len(log), log[3].timestamp, log[3].key, log[3].value)
    pairs = Pairs("features"), Pairs("dead letters")
    sample = Sample(entities=frozenset({(log[3].key or b"").decode(), (log[5].key or b"").decode()}))
    spans = {0: Span(0, len(source))}
    compare_partition(TRANSACTION, settings(), sample, source, [*log[:5], *log[6:], twice], [], spans, pairs)
    assert outcome(pairs[0].result()) == (1, 1, 0)


def test_on_a_schedule_the_last_look_is_a_gauge() -> None:
    looks = iter([[Comparison("features.order", compared=7)], [Comparison("features.order", compared=9, different=2)]])
    scraped: list[str] = []
    shown: list[list[Comparison]] = []
    port = 0

    def scrape() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            scraped.append(answer.read().decode())
        return len(scraped) == 2

    def listening(number: int) -> None:
        nonlocal port
        port = number

    watch(lambda: next(looks), 0.01, 0, shown.append, until=scrape, on_port=listening)
    assert 'twinstream_parity_rows{log="features.order",outcome="compared"} 7.0' in scraped[0]
    assert 'twinstream_parity_rows{log="features.order",outcome="different"} 2.0' in scraped[1]
    assert "twinstream_parity_timestamp_seconds 1" in scraped[1]
    assert len(shown) == 2
