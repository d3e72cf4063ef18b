"""The Kafka client when things break: brokers away, workers killed, transactions timed out, topics replaced."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay

from deploy.local import LocalKafka, free_port
from tests.log.log_lab import PATIENCE_S, KafkaLab, write
from twinstream.log.kafka import (
    Committed,
    Fenced,
    KafkaUnavailable,
    LogError,
    RecordTooLarge,
    TopicAdmin,
    TopicPartition,
    TransactionFailed,
    client_options,
    read_topic,
    topic_reader,
    transactions,
)

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker for this file alone, which kills it, and leaves it with hundreds of partitions."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), free_port())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def lab(kafka_broker: LocalKafka, unique: Callable[[str], str], tmp_path: Path) -> Iterator[KafkaLab]:
    kafka_broker.start()  # where a test that failed has left it killed
    with KafkaLab(kafka_broker.servers, unique, tmp_path) as kafka_lab:
        yield kafka_lab


once_the_broker_is_back = Retrying(
    retry=retry_if_exception_type(LogError), stop=stop_after_delay(PATIENCE_S), reraise=True
)


def network_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if "kafka" in thread.name or "network" in thread.name)


def test_missing_broker_is_one_line_within_five_seconds(tmp_path: Path) -> None:
    where = f"127.0.0.1:{free_port()}"
    threads, started = network_threads(), time.monotonic()
    with pytest.raises(KafkaUnavailable) as failure:
        KafkaLab(where, lambda stem: stem, tmp_path).worker(["topic"])
    assert time.monotonic() - started < 8
    assert str(failure.value) == (
        f"Kafka does not answer at {where}: nothing listens there (KAFKA_SERVERS, from a flag). "
        'Start it with "make up" or set KAFKA_SERVERS.'
    )
    assert network_threads() == threads


@pytest.mark.parametrize(
    "attempt", [TopicAdmin, lambda where: list(read_topic(where, "topic"))], ids=["admin", "reader"]
)
def test_tools_tell_of_a_missing_broker_too(attempt: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_options, "ANSWER_TIMEOUT_MS", 1_000)
    threads = network_threads()
    with pytest.raises(KafkaUnavailable, match=r"^Kafka does not answer at 127\.0\.0\.1:\d+: nothing listens there"):
        attempt(f"127.0.0.1:{free_port()}")
    assert network_threads() == threads


def test_a_tool_does_not_wait_for_ever_for_a_broker_that_is_gone(
    lab: KafkaLab, kafka_broker: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_reader, "PATIENCE_S", 0.0)
    topic = lab.topic()
    lab.write(topic, [(0, b"key", b"x" * 1_000)] * 5_000)
    with contextlib.closing(read_topic(lab.servers, topic, poll_records=100)) as records:
        next(records)
        kafka_broker.kill()
        with pytest.raises(KafkaUnavailable, match="nothing listens there"):
            list(records)
    kafka_broker.start()


def test_pending_transaction_holds_back_records_and_offset_until_it_is_decided(
    lab: KafkaLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinstream.log.kafka.requests.ANSWER_TIMEOUT_MS", 500)
    source, output = lab.topic(), lab.topic()
    worker = lab.worker([source]).join()
    with worker.log.transaction() as transaction:
        transaction.send(output, b"key", b"value", 0)
        transaction.commit_offsets({TopicPartition(source, 0): Committed(1)})
        transaction.flush()
        assert lab.read(output) == []
        with pytest.raises(LogError, match=r"is not decided yet: the transaction of a worker that ended"):
            worker.log.committed(TopicPartition(source, 0))
        transaction.commit()
    assert len(lab.read(output)) == 1
    assert worker.log.committed(TopicPartition(source, 0)) == Committed(1)


def test_killed_worker_is_replaced_within_seconds_and_its_transaction_is_gone(lab: KafkaLab, tmp_path: Path) -> None:
    source, output = lab.topic(), lab.topic()
    script = [sys.executable, "-m", "tests.log.pending_worker", lab.servers, lab.group, source, output]
    killed = subprocess.Popen([*script, str(tmp_path)], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"pending\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    started = time.monotonic()
    heir = lab.worker([source]).join()
    assert heir.log.committed(TopicPartition(source, 0)) is None
    write(heir, source, output, b"heir", 1)
    assert time.monotonic() - started < 9, "a session lasts 10 s"
    assert [record.value for record in lab.read(output)] == [b"heir"]


def test_transaction_that_the_broker_timed_out_fails_and_the_next_one_commits(
    lab: KafkaLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client_options.WRITER_OPTIONS, "transaction_timeout_ms", 1_000)
    source, output = lab.topic(), lab.topic()
    worker = lab.worker([source]).join()

    def dawdle() -> None:
        with worker.log.transaction() as transaction:
            transaction.send(output, b"key", b"too late", 0)
            transaction.commit_offsets({TopicPartition(source, 0): Committed(1)})
            transaction.flush()
            until = time.monotonic() + 4
            while time.monotonic() < until:
                worker.log.poll(100, 10)

    with pytest.raises(Fenced):
        dawdle()
    with pytest.raises(TransactionFailed, match="recover first"):
        write(worker, source, output, b"unrecovered", 2)
    worker.log.recover()
    write(worker, source, output, b"in time", 3)
    assert [record.value for record in lab.read(output)] == [b"in time"]
    assert worker.log.committed(TopicPartition(source, 0)) == Committed(3)


def test_worker_goes_on_after_a_broker_restart(lab: KafkaLab, kafka_broker: LocalKafka) -> None:
    source, output = lab.topic(partitions=1), lab.topic()
    lab.write(source, [(0, b"key", b"before")])
    worker = lab.worker([source])
    assert len(worker.read(1)) == 1
    kafka_broker.restart()
    lab.write(source, [(0, b"key", b"after")])
    assert [record.value for record in worker.read(1)] == [b"after"]
    try:
        write(worker, source, output, b"value", 2)
    except TransactionFailed:
        worker.log.recover()
        write(worker, source, output, b"value", 2)
    assert [record.value for record in lab.read(output)] == [b"value"]


def test_broker_that_is_away_fails_a_commit_in_bounded_time_and_is_noticed_when_back(
    lab: KafkaLab, kafka_broker: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "OUTCOME_TIMEOUT_S", 2.0)
    source, output = lab.topic(), lab.topic()
    worker, idle = lab.worker([source]).join(), lab.worker([source])
    write(worker, source, output, b"before", 1)
    kafka_broker.kill()
    try:
        started = time.monotonic()
        with pytest.raises(TransactionFailed):
            write(worker, source, output, b"away", 2)
        assert time.monotonic() - started < 10
        with pytest.raises(KafkaUnavailable):
            worker.log.ping(500)
        with pytest.raises(KafkaUnavailable):
            worker.log.recover()
        assert worker.log.poll(200, 10) == {}
        started = time.monotonic()
        idle.log.close()
        assert time.monotonic() - started < 10
    finally:
        kafka_broker.start()
    once_the_broker_is_back(worker.log.recover)
    write(worker, source, output, b"back", 3)
    assert [record.value for record in lab.read(output)] == [b"before", b"back"]


def test_transaction_decided_by_a_broker_that_is_killed_before_it_says_so_everywhere_is_whole(
    lab: KafkaLab, kafka_broker: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with the decision in its log, and not yet the markers for each of many partitions (ADR 9)."""
    partitions = 500
    source, output = lab.topic(1), lab.topic(partitions)
    worker = lab.worker([source]).join()

    def write_everywhere(value: bytes, offset: int, *, before_the_commit: Callable[[], None] = lambda: None) -> None:
        with worker.log.transaction() as transaction:
            for partition in range(partitions):
                transaction.send(output, None, value, partition)
            transaction.commit_offsets({TopicPartition(source, 0): Committed(offset)})
            transaction.flush()
            before_the_commit()

    def decisions() -> int:
        return sum(log.stat().st_size for log in kafka_broker.data.glob("__transaction_state-*/*.log"))

    process = psutil.Process(kafka_broker.pid)

    def kill_at_the_next_decision(before: int) -> None:
        while decisions() == before:
            pass
        process.kill()
        process.wait()

    killers: list[threading.Thread] = []
    with monkeypatch.context() as patch, contextlib.suppress(LogError):

        def start_killer() -> None:
            patch.setattr(transactions, "OUTCOME_TIMEOUT_S", 1.0)
            # What was decided before is read here: the thread may begin when all is over.
            killers.append(threading.Thread(target=kill_at_the_next_decision, args=[decisions()], daemon=True))
            killers[0].start()

        write_everywhere(b"decided", 1, before_the_commit=start_killer)
    killers[0].join(PATIENCE_S)
    kafka_broker.start()
    once_the_broker_is_back(worker.log.recover)
    assert once_the_broker_is_back(lambda: worker.log.committed(TopicPartition(source, 0))) == Committed(1)
    write_everywhere(b"next", 2)
    written = Counter(record.value for record in lab.read(output))
    assert written == {b"decided": partitions, b"next": partitions}


@pytest.mark.parametrize("records_again", [1, 3, 5], ids=["shorter", "as long", "longer"])
def test_topic_replaced_between_two_polls_is_never_taken_for_the_old_one(lab: KafkaLab, records_again: int) -> None:
    topic = lab.topic(partitions=1)
    lab.write(topic, [(0, b"key", b"old")] * 3)
    worker = lab.worker([topic], start_at=lambda *_: 0)
    assert len(worker.read(3)) == 3
    lab.recreate(topic)
    new = [b"new %d" % number for number in range(records_again)]
    lab.write(topic, [(0, b"key", value) for value in new])
    records, lost = worker.read_whatever_is_lost(lambda records: [record.value for record in records] == new)
    assert (len(records), lost) == (records_again, {TopicPartition(topic, 0)})


def test_other_topic_loses_nothing_when_one_is_replaced(lab: KafkaLab) -> None:
    kept, replaced = lab.topic(partitions=1), lab.topic(partitions=1)
    worker = lab.worker([kept, replaced], start_at=lambda *_: 0).join()
    worker.log.topic_id(replaced)
    lab.recreate(replaced)
    lab.write(kept, [(0, b"key", b"%d" % number) for number in range(5)])
    lab.write(replaced, [(0, b"key", b"new")])
    records, lost = worker.read_whatever_is_lost(lambda records: len(records) == 6)
    assert sorted(record.value or b"" for record in records) == [b"0", b"1", b"2", b"3", b"4", b"new"]
    assert lost == {TopicPartition(replaced, 0)}


def test_largest_source_record_and_its_dead_letter_go_through(lab: KafkaLab) -> None:
    source = lab.topic(partitions=1, max_message_bytes=str(17 * MEBIBYTE))
    output = lab.topic(partitions=1, max_message_bytes=str(24 * MEBIBYTE))
    lab.write(source, [(0, b"key", b"small"), (0, b"key", b"x" * 16 * MEBIBYTE), (0, b"key", b"after")])
    worker = lab.worker([source])
    records = worker.read(3)
    assert [len(record.value or b"") for record in records] == [5, 16 * MEBIBYTE, 5]
    letter = b"y" * (23 * MEBIBYTE)
    with worker.log.transaction() as transaction:
        for value in (b"before", letter, b"after"):
            transaction.send(output, b"key", value, 0)
    assert [record.value for record in lab.read(output)] == [b"before", letter, b"after"]


def test_record_that_fits_alone_is_not_put_into_a_batch_that_does_not(lab: KafkaLab) -> None:
    source, output = lab.topic(), lab.topic(partitions=1, max_message_bytes="1000000")
    worker = lab.worker([source]).join()
    values = [b"x" * 1_000] * 500 + [b"y" * 999_000] + [b"z" * 1_000] * 500
    with worker.log.transaction() as transaction:
        for value in values:
            transaction.send(output, b"key", value, 0)
    assert [record.value for record in lab.read(output)] == values


def test_record_that_the_topic_refuses_is_an_error_with_its_remedy(lab: KafkaLab) -> None:
    source, output = lab.topic(), lab.topic(max_message_bytes="10000")
    worker = lab.worker([source]).join()
    with pytest.raises(RecordTooLarge, match=r"Raise max\.message\.bytes of the topic"):
        write(worker, source, output, b"x" * 20_000, 1)
    with pytest.raises(TransactionFailed, match="recover first"):
        write(worker, source, output, b"small", 1)
    worker.log.recover()

    def write_two() -> None:
        with worker.log.transaction() as transaction:
            transaction.send(output, b"key", b"x" * 6_000, 0)
            transaction.send(output, b"key", b"x" * 6_000, 0)

    with pytest.raises(RecordTooLarge):
        write_two()
    worker.log.recover()
    write(worker, source, output, b"small", 1)
    assert [record.value for record in lab.read(output)] == [b"small"]


def test_output_topic_that_does_not_exist_fails_the_transaction(lab: KafkaLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client_options.WRITER_OPTIONS, "max_block_ms", 1_000)
    source = lab.topic()
    worker = lab.worker([source]).join()
    with pytest.raises(TransactionFailed):
        write(worker, source, "no-such-topic", b"value", 1)
