"""Several workers of one group on a real broker: who gets what, and what happens when one comes or goes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import LocalKafka
from tests.log.log_lab import PATIENCE_S, KafkaLab, Worker, write
from twinstream.errors import UserError
from twinstream.log.kafka import Committed, Fenced, NameTaken, TopicPartition, TransactionFailed, client_options
from twinstream.log.kafka.membership import leave_group


@pytest.fixture
def lab(kafka_broker: LocalKafka, unique: Callable[[str], str], tmp_path: Path) -> Iterator[KafkaLab]:
    with KafkaLab(kafka_broker.servers, unique, tmp_path) as kafka_lab:
        yield kafka_lab


def poll_all(workers: list[Worker], done: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, [worker.log.assignment() for worker in workers]
        for worker in workers:
            worker.log.poll(50, 100)


def share(workers: list[Worker], partitions: int) -> None:
    """Poll until the workers have split all partitions, each having as many."""
    each = partitions // len(workers)
    poll_all(workers, lambda: all(len(worker.log.assignment()) == each for worker in workers))


def test_two_workers_split_the_partitions_of_every_topic(lab: KafkaLab) -> None:
    topics = [lab.topic() for _ in range(3)]
    workers = [lab.worker(topics).join()]
    workers.append(lab.worker(topics))
    share(workers, 12)
    first, second = (worker.log.assignment() for worker in workers)
    assert first.isdisjoint(second)
    for topic in topics:
        assert sum(partition.topic == topic for partition in first) == 2


def test_newcomer_makes_the_others_give_up_everything_first(lab: KafkaLab) -> None:
    topic = lab.topic()
    first = lab.worker([topic]).join()
    everything = [TopicPartition(topic, number) for number in range(4)]
    second = lab.worker([topic])
    share([first, second], 4)
    assert first.told == [
        ("assigned", everything),
        ("revoked", everything),
        ("assigned", sorted(first.log.assignment())),
    ]


def test_leaving_worker_hands_over_at_once(lab: KafkaLab) -> None:
    topic = lab.topic()
    stays, leaves = lab.worker([topic]), lab.worker([topic])
    share([stays, leaves], 4)
    started = time.monotonic()
    leaves.log.close()
    stays.poll_until(lambda: len(stays.log.assignment()) == 4)
    assert time.monotonic() - started < 9, "a session lasts 10 s"


def test_workers_on_one_machine_have_names_of_their_own(lab: KafkaLab) -> None:
    topic = lab.topic()
    names = [lab.worker([topic]).log.worker_name for _ in range(3)]
    assert [name.rpartition("-")[2] for name in names] == ["0", "1", "2"]


def test_slot_that_is_taken_is_one_line_with_the_holder(lab: KafkaLab) -> None:
    topic = lab.topic()
    lab.worker([topic], slot=3)
    with pytest.raises(
        UserError, match=r"^Worker slot 3 of group \S+ is held by process \d+\. Leave WORKER_SLOT unset"
    ):
        lab.worker([topic], slot=3)


def test_worker_of_the_same_name_fences_the_first(lab: KafkaLab, tmp_path: Path) -> None:
    """Two machines of one host name: no lock between them, so Kafka has to tell them apart."""
    source, output = lab.topic(), lab.topic()
    first = lab.worker([source], slots=tmp_path / "one machine").join()
    second = lab.worker([source], slots=tmp_path / "another").join()

    with pytest.raises(Fenced):
        write(first, source, output, b"first", 5)
    first.log.recover()
    with pytest.raises(NameTaken, match=r"^Another process has joined Kafka as \S+, this worker's name\."):
        write(first, source, output, b"first", 5)
    second.log.recover()
    write(second, source, output, b"second", 6)
    assert [record.value for record in lab.read(output)] == [b"second"]
    assert second.log.committed(TopicPartition(source, 0)) == Committed(len(b"second"))


def test_worker_that_was_suspended_for_long_is_not_taken_for_another_and_goes_on(
    lab: KafkaLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client_options.MEMBER_OPTIONS, "max_poll_interval_ms", 1_000)
    source, output = lab.topic(partitions=1), lab.topic()
    worker = lab.worker([source]).join()

    time.sleep(3)
    with pytest.raises(Fenced, match=r"did not poll for so long"):
        write(worker, source, output, b"value", 1)
    worker.log.recover()
    worker.poll_until(lambda: [what for what, _ in worker.told].count("assigned") == 2)
    write(worker, source, output, b"value", 1)
    assert [record.value for record in lab.read(output)] == [b"value"]


def test_member_that_lost_its_partitions_cannot_commit(lab: KafkaLab) -> None:
    """It missed a rebalance: its generation is over, and so is its right to the partitions."""
    source, output = lab.topic(), lab.topic()
    ousted = lab.worker([source]).join()
    leave_group(ousted.log._consumer, timeout_ms=5_000)
    heir = lab.worker([source]).join()

    def write(worker: Worker) -> None:
        with worker.log.transaction() as transaction:
            transaction.send(output, b"key", worker.log.worker_name.encode(), 0)
            transaction.commit_offsets({TopicPartition(source, 0): Committed(0, "note")})

    with pytest.raises(TransactionFailed):
        write(ousted)
    write(heir)
    assert [record.value for record in lab.read(output)] == [heir.log.worker_name.encode()]
    ousted.log.recover()
    share([ousted, heir], 4)


def test_leader_whose_polls_are_shorter_than_a_join_gets_new_partitions(lab: KafkaLab) -> None:
    topic = lab.topic(partitions=1)
    worker = lab.worker([topic]).join()
    for partitions in (2, 3):
        lab.add_partitions(topic, partitions)
        deadline = time.monotonic() + 20  # new partitions are noticed within five seconds
        while len(worker.log.assignment()) < partitions:
            assert time.monotonic() < deadline, worker.told
            worker.log.poll(1, 10)


def test_new_partitions_of_a_topic_are_given_out(lab: KafkaLab) -> None:
    topic = lab.topic(partitions=1)
    worker = lab.worker([topic]).join()
    lab.add_partitions(topic, 3)
    worker.poll_until(lambda: len(worker.log.assignment()) == 3)
