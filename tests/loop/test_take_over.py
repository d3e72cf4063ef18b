"""Loop and job do not go on from one another: whoever comes second is refused before anything is done.

A job's output and its offsets are not committed in one transaction, so nobody but the job itself, from a savepoint or
checkpoint, knows where it stands. The loop keeps going on exactly where it stood, also after a kill -9.
"""

import signal
from pathlib import Path

import pytest

from deploy import demo
from tests.job.lab import run_embedded
from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run, assert_same, mixed_messages
from tests.reference import BY_TOPIC
from twinstream.log.kafka import committed_offsets
from twinstream.loop.commit import Step
from twinstream.online.contract import Partition
from twinstream.online.redis.store import RedisStore
from twinstream.online.single_writer import Runtime
from twinstream.settings import Settings

LAB_LINE = "CONSUMER_GROUP={group}, and the {refused} with CONSUMER_GROUP={group} cannot go on from there."


@pytest.fixture
def claimed_by_the_job(run: Run) -> Run:
    """A run whose Redis is a job's."""
    store = RedisStore(run.redis, run.group, "there", Runtime.JOB)
    for topic, group in BY_TOPIC.items():
        store.claim(Partition(topic, 0, group.name), "of the job")
    return run


def test_the_job_is_refused_where_the_loop_stands_and_the_loop_goes_on_as_if_nothing_had_been(
    lab: Lab, run: Run, tmp_path: Path
) -> None:
    messages = mixed_messages(2_000)
    lab.create_sources()
    lab.send(messages[:1_000])
    run.start(inject=Injection(signal.SIGKILL, Step.TRANSACTION_COMMITTED, times=5)).until_killed()
    lab.send(messages[1_000:1_500])
    refused = run_embedded(run, tmp_path)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if not line.startswith("{")]
    assert LAB_LINE.format(group=run.group, refused="job") in line
    assert line.endswith("REDIS_DB=1 CONSUMER_GROUP=flink OUTPUT_PREFIX=flink. make run-flink")
    lab.send(messages[1_500:])
    run.finish()
    assert_same(run.outputs(), lab.replayed())


def test_the_loop_is_refused_where_the_job_stands(lab: Lab, claimed_by_the_job: Run) -> None:
    run = claimed_by_the_job
    before = run.outputs()
    worker = run.start("--until-caught-up")
    assert worker.wait() == 2
    (line,) = worker.plain_lines()
    assert LAB_LINE.format(group=run.group, refused="loop") in line
    assert line.endswith("REDIS_DB=1 CONSUMER_GROUP=loop OUTPUT_PREFIX=loop. make run-features")
    assert run.outputs() == before
    where = Settings(kafka_servers=lab.broker.servers, consumer_group=run.group)
    assert not any(committed_offsets(where, topic) for topic in BY_TOPIC)


def test_the_demo_is_refused_before_it_seeds_anything(
    claimed_by_the_job: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_PORT", str(claimed_by_the_job.lab.redis_server.port))
    monkeypatch.setattr(demo, "_missing_broker", lambda: None)
    monkeypatch.setattr(demo, "up", lambda: None)
    monkeypatch.setattr(demo, "seed", lambda *_, **__: pytest.fail("seeded"))
    assert demo.main() == 2
    assert f"are written by the job with CONSUMER_GROUP={claimed_by_the_job.group}" in capsys.readouterr().err
