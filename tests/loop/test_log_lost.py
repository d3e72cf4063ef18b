"""Kafka stands behind Redis, because it lost records or offsets: a person has to decide what holds."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from deploy.local import LocalKafka
from tests.job.lab import run_embedded
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import OUTPUT_TOPICS, Outputs, assert_same
from tests.loop.workers import Worker


def copy_of_the_log(broker: LocalKafka, into: Path) -> Path:
    """The data of a broker that stands still for it."""
    broker.stop()
    subprocess.run(["cp", "-a", "--sparse=always", broker.data, into], check=True)
    broker.start()
    return into


def lose_everything_since(broker: LocalKafka, copy: Path) -> None:
    """Kill a broker, and start it with the data of back then."""
    broker.kill()
    shutil.rmtree(broker.data)
    subprocess.run(["cp", "-a", "--sparse=always", copy, broker.data], check=True)
    broker.start()


def refusal(worker: Worker) -> str:
    """The one line with which a worker refused to start."""
    assert worker.wait() == 2
    (line,) = worker.plain_lines()
    return line


@pytest.fixture
def without_second_half(lab: Lab, run: Run, tmp_path: Path) -> Run:
    """A finished run whose Kafka then lost the second half of everything, offsets and outputs included."""
    messages = mixed_messages(1_000)
    lab.create_sources()
    lab.send(messages[:500])
    run.finish()
    copy = copy_of_the_log(lab.broker, tmp_path / "data")
    lab.send(messages[500:])
    run.finish()
    lose_everything_since(lab.broker, copy)
    return run


def test_lost_records_are_refused_until_somebody_decides_to_rebuild(lab: Lab, without_second_half: Run) -> None:
    run = without_second_half
    for decision in ([], ["--if-log-lost", "refuse"], ["--if-log-lost", "continue"]):
        line = refusal(run.start("--until-caught-up", *decision))
        assert "Kafka lost data" in line
        assert "--if-log-lost rebuild" in line
    run.finish("--if-log-lost", "rebuild")
    assert_same(run.outputs(), lab.replayed())
    lab.send(mixed_messages(300, seed=3))
    run.finish()
    assert_same(run.outputs(), lab.replayed())


@pytest.fixture
def with_old_offsets(lab: Lab, run: Run) -> Run:
    """A finished run, whose group's offsets were then put back to where they were halfway."""
    messages = mixed_messages(1_000)
    lab.create_sources()
    lab.send(messages[:500])
    run.finish()
    admin: Any = KafkaAdminClient(bootstrap_servers=lab.broker.servers)
    halfway = admin.list_group_offsets([run.group])[run.group]
    lab.send(messages[500:])
    run.finish()
    admin.alter_group_offsets(run.group, halfway)
    admin.close()
    return run


def test_lost_offsets_may_be_taken_from_redis(lab: Lab, with_old_offsets: Run) -> None:
    run = with_old_offsets
    assert "--if-log-lost continue" in refusal(run.start("--until-caught-up"))
    run.finish("--if-log-lost", "continue")
    assert_same(run.outputs(), lab.replayed())
    lab.send(mixed_messages(300, seed=3))
    run.finish()
    assert_same(run.outputs(), lab.replayed())


def test_after_lost_offsets_a_rebuild_repeats_the_output_from_there_on(lab: Lab, with_old_offsets: Run) -> None:
    run, before = with_old_offsets, with_old_offsets.outputs()
    assert "--if-log-lost rebuild" in refusal(run.start("--until-caught-up"))
    run.finish("--if-log-lost", "rebuild")
    after = run.outputs()
    for name in OUTPUT_TOPICS:
        assert set(after[name]) == set(before[name])
        assert len(after[name]) > len(before[name])
    assert_same(features_of(after), features_of(before))


def test_offsets_set_with_kafkas_own_tool_are_said_and_everything_may_be_processed_again(lab: Lab, run: Run) -> None:
    lab.create_sources()
    lab.send(mixed_messages(1_000))
    run.finish()
    before = run.outputs()
    set_offsets_to_zero(run)
    assert "The group's offset was set with another tool; Redis knows" in run.finish()
    assert_same(run.outputs(), before)
    set_offsets_to_zero(run)
    run.finish("--if-log-lost", "rebuild")
    after = run.outputs()
    assert_same(features_of(after), features_of(before))
    for name in OUTPUT_TOPICS:
        assert sorted(after[name]) == sorted([*before[name], *before[name]])


def test_a_job_is_not_continued_over_records_that_retention_deleted(lab: Lab, run: Run, tmp_path: Path) -> None:
    lab.create_sources()
    lab.send(mixed_messages(300))
    source = TopicPartition("transactions", 0)
    with KafkaConsumer(bootstrap_servers=lab.broker.servers, group_id=f"{run.group}-flink") as consumer:
        consumer.assign([source])
        consumer.commit({source: OffsetAndMetadata(10, "", -1)})
    with KafkaAdminClient(bootstrap_servers=lab.broker.servers) as admin:
        admin.delete_records({source: 30})
    refused = run_embedded(run, tmp_path, "--savepoint", (tmp_path / "savepoint").as_uri())
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
    assert "20 records of transactions-0 (offsets 10 to 29)" in line
    assert "--if-log-lost continue" in line


def set_offsets_to_zero(run: Run) -> None:
    """As an administrator's tool does: without the loop's note."""
    admin: Any = KafkaAdminClient(bootstrap_servers=run.lab.broker.servers)
    admin.alter_group_offsets(
        run.group, {each: OffsetAndMetadata(0, "", -1) for each in admin.list_group_offsets([run.group])[run.group]}
    )
    admin.close()


def features_of(outputs: Outputs) -> Outputs:
    """The hashes among the outputs."""
    return {name: kept for name, kept in outputs.items() if name not in OUTPUT_TOPICS}
