"""Re-deriving a run from its source: nothing differs, until somebody changes a line of a feature."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any
from zlib import crc32

import pytest
from typer.testing import CliRunner

from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS
from tests.offline.logs import EVERY_GROUP, PARTITIONS, fill, processed, settings
from tests.reference import BY_TOPIC, GROUPS, REGISTRY, computing
from twinstream.audit import rederive
from twinstream.audit.comparing import Comparison, Pairs
from twinstream.audit.monitoring import monitor
from twinstream.audit.rederive import RunLog, Sample, compare_logs, rederive_run
from twinstream.cli import app
from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.log.kafka import KafkaUnavailable, Record, RecordsDeleted
from twinstream.log.topics import dead_letter_topic, feature_log_topic
from twinstream.offline import replay
from twinstream.settings import Settings
from twinstream.testing import START_MS, Driver

every_group = pytest.mark.parametrize("group", EVERY_GROUP, ids=lambda group: group.name)
TRANSACTION = GROUPS["transaction"]
EVERYTHING = Sample()


def outcome(result: Comparison) -> tuple[int, int, int]:
    return result.missing, result.extra, result.different


def rederived(
    driver: Driver, group: FeatureGroup, sample: Sample = EVERYTHING, first: int = 0, end: int | None = None
) -> tuple[Comparison, Comparison]:
    """Both comparisons of a run whose source begins at `first` by now, in all partitions, and counts up to `end`."""
    names = group.topic, feature_log_topic(group.name).name, dead_letter_topic(group.topic).name
    topics = [[partition_of(driver, name, number) for number in range(PARTITIONS)] for name in names]
    limits = [len(records) if end is None else end for records in topics[0]]
    sources = {
        number: (records[first:limit], limit)
        for number, (records, limit) in enumerate(zip(topics[0], limits, strict=True))
    }
    log, letters = RunLog(topics[1], Pairs("features")), RunLog(topics[2], Pairs("dead letters"))
    compare_logs([group], settings(), sample, sources, [log], letters if sample.is_everything else None)
    return log.pairs.result(), letters.pairs.result()


def partition_of(driver: Driver, topic: str, number: int) -> list[Record]:
    return [record for record in driver.broker.records(topic) if record.partition == number]


@every_group
def test_a_run_equals_its_source_replayed(group: FeatureGroup) -> None:
    features, letters = rederived(processed(), group)
    assert outcome(features) == outcome(letters) == (0, 0, 0)
    assert features.compared > 100
    assert letters.compared > 10


@pytest.mark.parametrize(
    ("end", "said"), [(0, "has written nothing that could be compared"), (7, "has deleted all the source records")]
)
def test_a_topic_that_never_had_a_record_is_not_taken_for_an_emptied_one(
    end: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offsets in ("committed_offsets", "end_offsets", "beginning_offsets"):
        monkeypatch.setattr(rederive, offsets, lambda *_: dict.fromkeys(range(PARTITIONS), end))
    monkeypatch.setattr(rederive, "read_topic", lambda *_, **__: (each for each in list[Record]()))
    with pytest.raises(UserError, match=said):
        rederive_run(settings(), REGISTRY, EVERYTHING)


@pytest.fixture
def job_without_keys(monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A run of the job, whose producers sent no key: its results are in the partitions of their own keys."""
    driver = Driver(partitions=PARTITIONS, **SETTINGS)
    for number, (topic, message, _) in enumerate(mixed_messages(1_000, end_ms=START_MS)):
        driver.now_ms = START_MS + number
        driver.broker.append(topic, number % PARTITIONS, None, message.value)
    driver.run()

    def read_topic(settings: Settings, topic: str, *, only: list[int]) -> Iterator[Record]:
        if topic in BY_TOPIC:
            yield from partition_of(driver, topic, only[0])
        else:
            yield from (row for row in driver.broker.records(topic) if crc32(row.key or b"") % PARTITIONS == only[0])

    ends = {topic: [len(partition_of(driver, topic, number)) for number in range(PARTITIONS)] for topic in BY_TOPIC}
    monkeypatch.setattr(rederive, "read_topic", read_topic)
    monkeypatch.setattr(rederive, "committed_offsets", lambda settings, topic: dict(enumerate(ends[topic])))
    monkeypatch.setattr(rederive, "beginning_offsets", lambda settings, topic: dict.fromkeys(range(PARTITIONS), 0))
    monkeypatch.setattr(rederive, "end_offsets", lambda settings, topic: dict.fromkeys(range(PARTITIONS), 1))
    return driver


def test_results_are_paired_with_their_source_records_in_whichever_partition_they_are(job_without_keys: Driver) -> None:
    results = rederive_run(settings(), REGISTRY, Sample())
    for features, letters in zip(results[::2], results[1::2], strict=True):
        assert outcome(features) == outcome(letters) == (0, 0, 0), features.name
        assert features.compared > 50


def test_where_a_source_without_keys_has_lost_its_beginning_the_rest_is_compared(job_without_keys: Driver) -> None:
    source = [partition_of(job_without_keys, "transactions", number) for number in range(PARTITIONS)]
    log = job_without_keys.broker.records(feature_log_topic("transaction").name)
    sources = {number: (records[100:], len(records)) for number, records in enumerate(source)}
    compared = RunLog([log[::2], log[1::2]], Pairs("features"))
    compare_logs([TRANSACTION], settings(), EVERYTHING, sources, [compared], None)
    features = compared.pairs.result()
    assert outcome(features) == (0, 0, 0)
    assert 50 < features.compared < len(log)


@pytest.mark.parametrize(
    ("runtime", "features_lost", "letters_lost"),
    [("loop", (40, 0), (0, 5)), ("loop", (90, 60), (5, 1_000)), ("job", (0, 150), (5, 0)), ("job", (90, 60), (3, 8))],
)
def test_where_a_log_has_lost_its_beginning_the_rest_is_compared(
    job_without_keys: Driver,
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    features_lost: tuple[int, int],
    letters_lost: tuple[int, int],
) -> None:
    """Retention takes the segments of a log and of its source at different times."""
    genuine = rederive.read_topic
    lost = {
        feature_log_topic("transaction").name: features_lost,
        dead_letter_topic("transactions").name: letters_lost,
        "transactions": (0, 0),
    }

    def read_topic(settings: Settings, topic: str, *, only: list[int]) -> Iterator[Record]:
        if topic in BY_TOPIC:
            rows = list(genuine(settings, topic, only=only))
        elif runtime == "job":  # which reads all source partitions in turn
            rows = sorted(genuine(settings, topic, only=only), key=lambda row: json.loads(row.value or b"")["offset"])
        else:
            rows = partition_of(job_without_keys, topic, only[0])
        yield from rows[lost[topic][only[0]] :]

    monkeypatch.setattr(rederive, "read_topic", read_topic)
    monkeypatch.setattr(rederive, "beginning_offsets", lambda settings, topic: dict(enumerate(lost[topic])))
    features, letters = rederive_run(settings(), REGISTRY, EVERYTHING, "transaction")
    assert outcome(features) == outcome(letters) == (0, 0, 0)
    assert features.compared > 50
    assert letters.compared > 5


def test_only_rows_of_about_a_batch_wait_for_their_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BATCH_RECORDS", 10)
    waiting = [0]

    class Watched(Pairs):
        def add_left(self, origin: str, value: bytes) -> None:
            super().add_left(origin, value)
            waiting.append(len(self._left) + len(self._right))

    names = TRANSACTION.topic, feature_log_topic("transaction").name
    source, log = ([partition_of(processed(), name, number) for number in range(PARTITIONS)] for name in names)
    sources = {number: (records, len(records)) for number, records in enumerate(source)}
    together = [row for rows in zip_longest(*log) for row in rows if row is not None]
    compared = RunLog([together], Watched("features"))
    compare_logs([TRANSACTION], settings(), EVERYTHING, sources, [compared], None)
    assert outcome(compared.pairs.result()) == (0, 0, 0)
    assert max(waiting) <= 30


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
def test_a_log_of_more_partitions_than_its_source_is_paired_all_the_same(group: FeatureGroup) -> None:
    names = group.topic, feature_log_topic(group.name).name, dead_letter_topic(group.topic).name
    _, log, letters = (processed().broker.records(name) for name in names)
    source = [partition_of(processed(), group.topic, number) for number in range(PARTITIONS)]
    sources = {number: (records, len(records)) for number, records in enumerate(source)}
    scattered_log, scattered_letters = (
        [rows[number :: PARTITIONS + 1] for number in range(PARTITIONS + 1)] for rows in (log, letters)
    )
    compared = RunLog(scattered_log, Pairs("features")), RunLog(scattered_letters, Pairs("dead letters"))
    compare_logs([group], settings(), EVERYTHING, sources, [compared[0]], compared[1])
    features, set_aside = (each.pairs.result() for each in compared)
    assert outcome(features) == outcome(set_aside) == (0, 0, 0)
    assert (features.compared, set_aside.compared) == (len(log), len(letters))


@pytest.fixture
def skewed() -> Driver:
    """A run by code in which one line of a feature was another; the code has been mended since."""
    genuine = TRANSACTION.features

    def one_too_many_now_and_then(window: Any) -> int:
        return window.count + (window.count == 7)

    skewed = [
        replace(each, compute=one_too_many_now_and_then) if each.name == "txn_count" else each for each in genuine
    ]
    with computing(TRANSACTION, skewed):
        driver = Driver(partitions=PARTITIONS, **SETTINGS)
        fill(driver, mixed_messages(1_000, end_ms=START_MS))
        driver.run()
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
    log, source = (partition_of(driver, topic, 0) for topic in (name, "transactions"))
    twice = Record(name, 0, len(log), log[3].timestamp, log[3].key, log[3].value)
    sample = Sample(entities=frozenset({(log[3].key or b"").decode(), (log[5].key or b"").decode()}))
    sources = {0: (source, len(source))}
    compared = RunLog([[*log[:5], *log[6:], twice]], Pairs("features"))
    compare_logs([TRANSACTION], settings(), sample, sources, [compared], None)
    assert outcome(compared.pairs.result()) == (1, 1, 0)


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

    monitor(lambda: next(looks), 0.01, 0, shown.append, until=scrape, on_port=listening)
    assert 'twinstream_parity_rows{log="features.order",outcome="compared"} 7.0' in scraped[0]
    assert 'twinstream_parity_rows{log="features.order",outcome="different"} 2.0' in scraped[1]
    assert "twinstream_parity_timestamp_seconds 1" in scraped[1]
    assert len(shown) == 2


def test_a_schedule_outlasts_a_kafka_that_is_away_for_one_look() -> None:
    looks = iter([KafkaUnavailable("away"), RecordsDeleted([], "Run it again."), [Comparison("features.order")]])
    shown: list[list[Comparison]] = []

    def look() -> list[Comparison]:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    monitor(look, 0.01, 0, shown.append, until=lambda: bool(shown))
    assert shown == [[Comparison("features.order")]]


def test_a_port_that_is_taken_or_none_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--metrics-port={port} .* or set --metrics-port"):
            monitor(list, 1, port, lambda results: None)
    result = CliRunner().invoke(app, ["parity", "--rederive", "--every", "5", "--metrics-port", "70000"])
    assert result.exit_code == 2
    assert not isinstance(result.exception, OverflowError)
