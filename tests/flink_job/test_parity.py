"""The job on a real cluster, real Kafka and real Redis makes byte for byte what the loop makes."""

import pytest

from deploy.flink.cluster import FlinkCluster
from tests.flink.lab import Outputs, Run, assert_same
from tests.flink_job.lab import FlinkRun

pytestmark = pytest.mark.timeout(600)


def test_job_in_thread_mode_at_parallelism_1_equals_the_loop(
    cluster: FlinkCluster, reference: Outputs, run: Run
) -> None:
    job = FlinkRun(cluster, run, "thread", 1)
    job.start()
    job.finish()
    assert_same(run.outputs(), reference)


def test_job_in_process_mode_at_parallelism_4_equals_the_loop_with_a_worker_killed(
    cluster: FlinkCluster, reference: Outputs, run: Run
) -> None:
    job = FlinkRun(cluster, run, "process", 4)
    job.start()
    job.until_under_way()
    killed = job.python_workers()[0]
    killed.kill()
    job.finish()
    assert job.rest.restarts(job.job) >= 1
    assert_same(run.outputs(), reference)


def test_job_in_thread_mode_at_parallelism_4_equals_the_loop_with_a_task_manager_killed(
    cluster: FlinkCluster, reference: Outputs, run: Run
) -> None:
    job = FlinkRun(cluster, run, "thread", 4)
    job.start()
    job.until_under_way()
    cluster.kill_task_manager()
    job.finish()
    cluster.start()
    assert_same(run.outputs(), reference)


def test_job_rescaled_from_1_to_3_to_2_under_load_equals_the_loop(
    cluster: FlinkCluster, reference: Outputs, run: Run
) -> None:
    job = FlinkRun(cluster, run, "thread", 1)
    job.start()
    for parallelism in (3, 2):
        job.until_under_way()
        job.start(job.savepoint(), parallelism)
    job.finish()
    assert_same(run.outputs(), reference)
