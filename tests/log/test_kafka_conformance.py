"""What every `EventLog` does, run against each one: the Kafka client on a real broker, and the in-process log."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.log.log_lab import KafkaLab, Lab, MemoryLab
from twinstream.log.kafka import Committed, EventLog, PositionLost, TopicPartition

IMPLEMENTATIONS = ["kafka-python", "in-process"]


@pytest.fixture(params=IMPLEMENTATIONS)
def lab(request: pytest.FixtureRequest, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Lab]:
    if request.param == "in-process":
        yield MemoryLab()
        return
    with KafkaLab(request.getfixturevalue("kafka_broker").servers, unique, tmp_path) as kafka_lab:
        yield kafka_lab


def numbered(count: int, partition: int = 0, first: int = 0) -> list[tuple[int, bytes | None, bytes | None]]:
    return [(partition, b"key", b"%d" % number) for number in range(first, first + count)]


def test_only_worker_gets_every_partition_of_every_topic(lab: Lab) -> None:
    one, other = lab.topic(), lab.topic()
    worker = lab.worker([one, other]).join()
    everything = {TopicPartition(topic, number) for topic in (one, other) for number in range(4)}
    assert worker.log.assignment() == everything
    assert [(what, set(partitions)) for what, partitions in worker.told] == [("assigned", everything)]


def test_records_come_as_they_were_written(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    lines = [(0, b"k", b"v"), (0, None, b"no key"), (0, b"", b""), (0, b"null", None), (0, b"\xff\x00", b"\x80" * 300)]
    lab.write(topic, lines)
    records = lab.worker([topic]).read(len(lines))
    assert [(record.topic, record.partition, record.offset) for record in records] == [(topic, 0, n) for n in range(5)]
    assert [(record.partition, record.key, record.value) for record in records] == lines
    assert all(1_600_000_000_000 < record.timestamp < 4_000_000_000_000 for record in records)


def test_each_partition_keeps_its_order(lab: Lab) -> None:
    topic = lab.topic()
    lab.write(topic, [(number % 4, b"key", b"%d" % number) for number in range(3_000)])
    records = lab.worker([topic]).read(3_000)
    for partition in range(4):
        values = [int(record.value or b"") for record in records if record.partition == partition]
        assert values == list(range(partition, 3_000, 4))


def test_poll_returns_no_more_records_than_asked_for(lab: Lab) -> None:
    topic = lab.topic()
    lab.write(topic, [(number % 4, b"key", b"%d" % number) for number in range(100)])
    worker = lab.worker([topic])
    counts: list[int] = []
    while sum(counts) < 100:
        counts.append(sum(map(len, worker.log.poll(1_000, 7).values())))
    assert max(counts) == 7


def test_sought_position_is_where_reading_goes_on(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    lab.write(topic, numbered(10))
    worker = lab.worker([topic], start_at=lambda *_: 7)
    assert [record.offset for record in worker.read(3)] == [7, 8, 9]
    worker.log.seek(TopicPartition(topic, 0), 4)
    assert [record.offset for record in worker.read(6)] == [4, 5, 6, 7, 8, 9]


def test_position_is_behind_the_last_record_returned(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    partition = TopicPartition(topic, 0)
    worker = lab.worker([topic]).join()
    assert worker.log.position(partition) == 0
    lab.write(topic, numbered(10))
    first = worker.poll_until(lambda: worker.log.position(partition) > 0)
    assert worker.log.position(partition) == first[-1].offset + 1
    worker.poll_until(lambda: worker.log.position(partition) == 10)


def test_position_reaches_the_end_offset_behind_transaction_markers(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    writer = lab.worker([lab.topic()]).join()
    for _ in range(3):
        with writer.log.transaction() as transaction:
            transaction.send(topic, b"key", b"value", 0)
    writer.log.close()
    partition = TopicPartition(topic, 0)
    reader = lab.worker([topic])
    assert len(reader.read(3)) == 3
    assert reader.log.position(partition) == reader.log.end_offset(partition) >= 3


def test_paused_partition_delivers_nothing_and_goes_on_where_it_was(lab: Lab) -> None:
    topic = lab.topic(partitions=2)
    paused, open_ = TopicPartition(topic, 0), TopicPartition(topic, 1)
    lab.write(topic, [*numbered(3, 0), *numbered(3, 1)])
    worker = lab.worker([topic])
    worker.read(6)
    worker.log.pause([paused])
    lab.write(topic, [*numbered(3, 0, first=3), *numbered(3, 1, first=3)])
    assert {record.partition for record in worker.read(3)} == {open_.partition}
    worker.log.resume([paused])
    assert [(record.partition, record.value) for record in worker.read(3)] == [(0, b"3"), (0, b"4"), (0, b"5")]


def test_transaction_makes_outputs_and_offsets_visible_together(lab: Lab) -> None:
    source, output = lab.topic(), lab.topic()
    partition = TopicPartition(source, 1)
    worker = lab.worker([source]).join()
    with worker.log.transaction() as transaction:
        for number in range(2_000):
            transaction.send(output, b"key-%d" % number, b"%d" % number, number % 4)
        transaction.send(output, None, b"", 3)
        transaction.commit_offsets({partition: Committed(5, '{"note": "ü"}')})
    assert worker.log.committed(partition) == Committed(5, '{"note": "ü"}')
    assert worker.log.committed(TopicPartition(source, 0)) is None
    written = lab.read(output)
    assert [int(record.value or b"0") for record in written if record.partition == 1] == list(range(1, 2_000, 4))
    assert [record.key for record in written if record.partition == 3][-2:] == [b"key-1999", None]
    assert len(written) == 2_001


def test_commit_may_be_called_before_the_block_ends(lab: Lab) -> None:
    source, output = lab.topic(), lab.topic()
    worker = lab.worker([source]).join()
    with worker.log.transaction() as transaction:
        transaction.send(output, b"key", b"value", 0)
        transaction.commit_offsets({TopicPartition(source, 0): Committed(1)})
        transaction.commit()
        assert worker.log.committed(TopicPartition(source, 0)) == Committed(1)
    assert len(lab.read(output)) == 1


def test_exception_takes_outputs_and_offsets_back(lab: Lab) -> None:
    source, output = lab.topic(), lab.topic()
    worker = lab.worker([source]).join()

    def fail() -> None:
        with worker.log.transaction() as transaction:
            transaction.send(output, b"key", b"taken back", 0)
            transaction.commit_offsets({TopicPartition(source, 0): Committed(1)})
            transaction.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with worker.log.transaction() as transaction:
        transaction.send(output, b"key", b"stays", 0)
    assert [record.value for record in lab.read(output)] == [b"stays"]
    assert worker.log.committed(TopicPartition(source, 0)) is None


def test_empty_transaction_commits(lab: Lab) -> None:
    worker = lab.worker([lab.topic()]).join()
    with worker.log.transaction():
        pass
    with worker.log.transaction() as transaction:
        transaction.commit_offsets({})


def test_next_worker_of_the_group_finds_what_was_committed(lab: Lab) -> None:
    source = lab.topic(partitions=1)
    lab.write(source, numbered(10))
    first = lab.worker([source])
    first.read(10)
    with first.log.transaction() as transaction:
        transaction.commit_offsets({TopicPartition(source, 0): Committed(6, "note")})
    first.log.close()
    second = lab.worker([source])
    assert [record.offset for record in second.read(4)] == [6, 7, 8, 9]
    assert second.log.committed(TopicPartition(source, 0)) == Committed(6, "note")


def test_recovered_log_goes_on(lab: Lab) -> None:
    source, output = lab.topic(), lab.topic()
    worker = lab.worker([source]).join()
    worker.log.recover()
    with worker.log.transaction() as transaction:
        transaction.send(output, b"key", b"value", 0)
    assert len(lab.read(output)) == 1


def test_offsets_of_a_partition_tell_beginning_end_and_time(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    partition = TopicPartition(topic, 0)
    worker = lab.worker([topic]).join()
    assert (worker.log.beginning_offset(partition), worker.log.end_offset(partition)) == (0, 0)
    assert worker.log.offset_for_time(partition, 0) is None
    lab.write(topic, numbered(5))
    records = worker.read(5)
    assert worker.log.end_offsets([partition]) == {partition: 5}
    assert worker.log.end_offsets([]) == {}
    assert worker.log.offset_for_time(partition, 0) == 0
    assert worker.log.offset_for_time(partition, -1_000) == 0
    newest = records[-1].timestamp
    assert worker.log.offset_for_time(partition, newest) == min(
        record.offset for record in records if record.timestamp >= newest
    )
    assert worker.log.offset_for_time(partition, newest + 1) is None


def test_topic_id_changes_when_the_topic_is_created_again(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    log: EventLog = lab.worker([topic]).join().log
    before = log.topic_id(topic)
    assert log.topic_id(topic) == before
    lab.recreate(topic)
    assert log.topic_id(topic) != before


def test_position_that_the_log_does_not_hold_is_an_error_and_no_jump(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    partition = TopicPartition(topic, 0)
    lab.write(topic, numbered(3))
    worker = lab.worker([topic], start_at=lambda *_: 1_000)
    with pytest.raises(PositionLost) as lost:
        worker.read(1)
    assert lost.value.partitions == [partition]
    worker.log.seek(partition, 1)
    assert [record.offset for record in worker.read(2)] == [1, 2]


def test_callback_that_raises_is_called_again_by_the_next_poll(lab: Lab) -> None:
    topic = lab.topic(partitions=1)
    lab.write(topic, numbered(2))
    failures = [ConnectionError("first"), ConnectionError("second")]

    def start(_log: EventLog, _partition: TopicPartition) -> int:
        if failures:
            raise failures.pop(0)
        return 0

    worker = lab.worker([topic], start_at=start)
    for message in ("first", "second"):
        with pytest.raises(ConnectionError, match=message):
            worker.log.poll(5_000, 10)
    assert len(worker.read(2)) == 2


def test_log_that_is_there_answers_a_ping(lab: Lab) -> None:
    worker = lab.worker([lab.topic()]).join()
    worker.log.ping(1_000)
