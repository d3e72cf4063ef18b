"""A standalone Flink cluster, the loop's lab, and a log of 50 000 events with what the loop makes of it."""

from collections.abc import Callable, Iterator

import pytest

from deploy.local import free_port
from tests.job.lab import FlinkRun
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import Outputs
from twinstream.job.cluster import FlinkCluster

EVENTS = 50_000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """A JobManager and two TaskManagers."""
    flink = FlinkCluster(
        tmp_path_factory.mktemp("flink"), free_port(), task_managers=2, slots=4, metrics_port=free_port()
    )
    flink.start()
    yield flink
    flink.stop()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with empty source topics."""
    with Lab(tmp_path_factory.mktemp("flink-lab")) as lab:
        lab.create_sources()
        yield lab


@pytest.fixture(scope="session")
def reference(lab: Lab) -> Outputs:
    """What the loop makes of the log, which is in the source topics from here on."""
    lab.send(mixed_messages(EVENTS))
    with lab.run(max_poll_records=5_000) as run:
        worker = run.start_command("--until-caught-up")
        assert worker.wait() == 0, worker.said()
        return run.outputs()


@pytest.fixture
def run(lab: Lab) -> Iterator[Run]:
    """Outputs and a Redis for a job."""
    with lab.run() as run:
        yield run


@pytest.fixture
def cluster_job(cluster: FlinkCluster, run: Run) -> Iterator[Callable[[str, int], FlinkRun]]:
    """Makes a job on the cluster, of a mode and a parallelism.

    What a failed test leaves is put in order: a job that still ran would write to the next test's Redis.
    """
    made: list[FlinkRun] = []

    def make(mode: str, parallelism: int) -> FlinkRun:
        made.append(FlinkRun(cluster, run, mode, parallelism))
        return made[-1]

    yield make
    cluster.start()
    run.lab.redis_server.start()
    for job in made:
        job.cancel()
