"""The job on real Flink, real Kafka and real Redis makes byte for byte what the loop makes, whatever happens to it."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import free_port
from tests.job.dashboard import until_every_panel_has_a_source
from tests.job.lab import PATIENCE_S, FlinkRun, embedded, rederived, run_embedded, wait_for
from tests.loop.lab import Run
from tests.loop.outputs import Outputs, assert_same
from twinstream.job.cluster import FlinkCluster

pytestmark = pytest.mark.timeout(600)

ClusterJob = Callable[[str, int], FlinkRun]

AWAY_S = 30
"""How long Redis is away; a batch waits for a minute before it fails."""


def test_make_run_flink_killed_and_continued_equals_the_loop_and_a_savepoint_is_of_its_epoch_only(
    reference: Outputs, run: Run, tmp_path: Path
) -> None:
    state = ("--state-directory", (tmp_path / "state").as_uri())
    port = free_port()
    with embedded(run, tmp_path, *state, metrics_port=port) as job:
        until_every_panel_has_a_source([port])
        wait_for(lambda: any(tmp_path.glob("state/checkpoints/*/chk-*/_metadata")), "a checkpoint")
        run.until_in_redis(PATIENCE_S, job.said)
    done = run_embedded(run, tmp_path, *state, "--savepoint", "latest")
    assert done.returncode == 0, done.stderr
    assert_same(run.outputs(), reference)
    assert all(result.same and result.compared for result in rederived(run))
    assert re.search(r"make run-flink SAVEPOINT=/\S+", done.stdout)
    assert not (tmp_path / "tmp").exists(), "also what the killed one left"
    resumed = run_embedded(run, tmp_path, *state, "--savepoint", "latest")
    assert resumed.returncode == 0, resumed.stderr  # no record comes: it says where it stands all the same
    assert_same(run.outputs(), reference)
    refused = run_embedded(run, tmp_path, *state, "--savepoint", "latest", window_size_minutes=2)
    assert refused.returncode == 2
    assert "error: The savepoint is of another epoch or mode" in refused.stderr  # of another mode: test_pipeline


def test_job_in_process_mode_equals_the_loop_with_a_python_worker_killed(
    cluster: FlinkCluster, reference: Outputs, run: Run, cluster_job: ClusterJob
) -> None:
    job = cluster_job("process", 2)
    job.start()
    job.until_moving()
    job.until_checkpointed()
    job.python_workers()[0].kill()
    job.until_caught_up()
    until_every_panel_has_a_source(cluster.metrics_ports)
    run.redis.flushall()  # no record will come: the job notices by itself
    job.finish()
    assert job.rest.restarts(job.job) >= 1
    assert_same(run.outputs(), reference)


def test_job_at_parallelism_4_equals_the_loop_with_a_task_manager_killed(
    cluster: FlinkCluster, reference: Outputs, run: Run, cluster_job: ClusterJob
) -> None:
    job = cluster_job("thread", 4)
    job.start()
    job.until_moving()
    job.until_checkpointed()
    assert job.rest.used_task_managers(job.job) == job.rest.task_managers(), "the cluster has two, the job uses both"
    cluster.kill_task_manager()
    job.until_caught_up()
    run.redis.flushall()
    job.finish()
    assert_same(run.outputs(), reference)


def test_job_rescaled_from_1_to_3_to_2_equals_the_loop_with_redis_away_for_a_while(
    reference: Outputs, run: Run, cluster_job: ClusterJob
) -> None:
    job = cluster_job("thread", 1)
    job.start()
    for parallelism in (3, 2):
        job.until_moving()
        job.start(job.savepoint(), parallelism)
    job.until_checkpointed()
    run.lab.redis_server.stop()
    time.sleep(AWAY_S)
    run.lab.redis_server.start()
    job.finish()
    assert job.rest.restarts(job.job) == 0, "neither a poison record nor Redis restarts the job"
    assert_same(run.outputs(), reference)
