"""The job on a real standalone cluster, over the logs of the loop's lab, and compared with what the loop makes of them.

job = FlinkRun(cluster, run, mode="process", parallelism=4)
job.start()
cluster.kill_task_manager()
job.finish()                            # caught up and stopped with a savepoint, which commits the output
assert_same(run.outputs(), reference)
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from deploy.local import free_port
from deploy.local.paths import ROOT
from tests.loop.lab import Run
from tests.loop.outputs import SETTINGS
from tests.reference import REGISTRY
from twinstream.audit.comparing import Comparison
from twinstream.audit.rederive import Sample, rederive_run
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.job.cluster import FlinkCluster
from twinstream.job.rest import FlinkRest
from twinstream.job.submitting import submitted
from twinstream.settings import Settings

PATIENCE_S = 300.0
CHECKPOINT_INTERVAL_MS = 1_000


def wait_for(happened: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} took longer than {seconds:.0f} s"
        time.sleep(0.1)


class FlinkRun:
    """The job on a cluster, writing to the outputs of a run of the loop's lab.

    Args:
        cluster: running.
        run: whose outputs and Redis it writes to.
        mode: thread or process.
        parallelism: subtasks.
        settings: that differ from the lab's.
    """

    def __init__(
        self, cluster: FlinkCluster, run: Run, mode: str = "thread", parallelism: int = 1, **settings: Any
    ) -> None:
        self.cluster = cluster
        self.run = run
        self.mode = mode
        self.parallelism = parallelism
        self.rest = FlinkRest(cluster.address)
        self.job = ""
        self.registry = REGISTRY
        self._before: Counter[str] = Counter()
        self._settings = SETTINGS | settings

    def compute(self, *definitions: str, savepoint: str | None = None) -> None:
        """Start it with the groups of some modules or files."""
        names = ",".join(definitions)
        self.registry = load_registry(names)
        self._settings = self._settings | {"features": names}
        self.start(savepoint)

    def start(self, savepoint: str | None = None, parallelism: int | None = None) -> None:
        """Submit the job as users do, from a savepoint if there is one."""
        self.parallelism = parallelism or self.parallelism
        arguments = ["--mode", self.mode, "--parallelism", str(self.parallelism)]
        arguments += ["--state-directory", (self.cluster.directory / "state").as_uri()]
        if savepoint is not None:
            arguments += ["--savepoint", savepoint]
        self._before = self._by_group()
        self.job = submitted(
            self.cluster.address, arguments, self.cluster.directory, run_environment(self.run, self._settings)
        )

    def until_moving(self) -> None:
        """Wait until more of its groups' partitions has come into Redis than there is now."""
        before = sum(self._progress().values())
        assert self._progress() != self._ends(), "everything has been read already: a longer log is needed"
        wait_for(lambda: sum(self._progress().values()) > before, "moving on")

    def until_all_move_on(self) -> None:
        """Wait until more of every group has come into Redis than there was when the job was submitted."""
        before, names = self._before, set(self.registry.names)
        wait_for(lambda: names <= (self._by_group() - before).keys(), "all groups move on")

    def until_checkpointed(self) -> None:
        """Wait until it has completed a checkpoint."""
        wait_for(lambda: self.rest.checkpoints(self.job) > 0, "a checkpoint")

    def until_caught_up(self) -> None:
        """Wait until everything in its source topics is in Redis."""
        ends = self._ends()
        wait_for(lambda: self._reached(ends), "catching up")

    def savepoint(self) -> str:
        """Stop with a savepoint, which Flink refuses while the job is being restarted."""
        until_it_may = Retrying(
            retry=retry_if_exception_type(UserError), wait=wait_fixed(1), stop=stop_after_attempt(20), reraise=True
        )
        directory = (self.cluster.directory / "state").as_uri()
        location = until_it_may(self.rest.savepoint, self.job, directory, stop=True)
        wait_for(lambda: self.job not in self.rest.running_jobs(), "stopping")
        return location

    def finish(self) -> str:
        """Catch up, and stop with a savepoint, which commits the output."""
        self.until_caught_up()
        return self.savepoint()

    def cancel(self) -> None:
        """End it if it runs."""
        if self.job in self.rest.running_jobs():
            self.rest.cancel(self.job)
            wait_for(lambda: self.job not in self.rest.running_jobs(), "cancelling")

    def python_workers(self) -> list[psutil.Process]:
        """The Python processes of the TaskManagers."""
        children = [
            child for pid in self.cluster.task_manager_pids for child in psutil.Process(pid).children(recursive=True)
        ]
        return [child for child in children if "python" in child.name()]

    def _reached(self, ends: dict[str, int]) -> bool:
        with suppress(UserError):  # Flink is busy restarting
            state = self.rest.state(self.job)
            assert state not in ("FAILED", "FINISHED", "CANCELED"), self.rest.root_exception(self.job)
        return self._progress() == ends

    def _ends(self) -> dict[str, int]:
        """Where each group's partitions end, by `group:topic:partition`."""
        ends = self.run.lab.ends()
        return {
            f"{group.name}:{place}": end
            for group in self.registry
            for place, end in ends.items()
            if place.split(":")[0] == group.topic
        }

    def _progress(self) -> dict[str, int]:
        """How far Redis has them."""
        return {
            place: offset
            for place, offset in self.run.progress_of_groups().items()
            if place.split(":")[0] in self.registry.names
        }

    def _by_group(self) -> Counter[str]:
        """Records that have come into Redis of each group."""
        counted: Counter[str] = Counter()
        for place, offset in self._progress().items():
            counted[place.split(":")[0]] += offset
        return counted


def run_embedded(run: Run, directory: Path, *arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """What `make run-flink` starts, on a Flink of its own, until it has caught up."""
    with embedded(run, directory, "--until-caught-up", *arguments, **settings) as job:
        code = job.process.wait()
        return subprocess.CompletedProcess(job.process.args, code, job.stdout.read_text(), job.stderr.read_text())


@dataclass(frozen=True, slots=True)
class Embedded:
    """The job with a Flink of its own, and where its output goes: a pipe that nobody reads would stop it."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    def said(self) -> str:
        """The end of what it has written, and whether it still runs."""
        return f"exit code {self.process.poll()}: {self.stdout.read_text()[-500:]} {self.stderr.read_text()[-3_000:]}"


@contextmanager
def embedded(run: Run, directory: Path, *arguments: str, **settings: Any) -> Iterator[Embedded]:
    """The same while it runs; it is killed with all that it started when the block ends."""
    given = SETTINGS | {"metrics_port": free_port()} | settings
    environment = run_environment(run, given) | {"FLINK_UI_PORT": str(free_port())}
    stdout, stderr = run.lab.directory / "embedded.out", run.lab.directory / "embedded.err"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "twinstream", "flink", "run", *arguments],
            env=os.environ | environment | {"FLINK_DIRECTORY": str(directory), "NO_COLOR": "1"},
            cwd=ROOT,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    try:
        yield Embedded(process, stdout, stderr)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rederived(run: Run) -> list[Comparison]:
    """A job's logs against their source topics."""
    where = {"kafka_servers": run.lab.broker.servers, "output_prefix": f"{run.group}."}
    return rederive_run(Settings(**(SETTINGS | where | {"consumer_group": f"{run.group}-flink"})), REGISTRY, Sample())


def run_environment(run: Run, settings: dict[str, Any]) -> dict[str, str]:
    """The settings of a job that writes to the outputs of a run, as environment variables."""
    given = settings | {
        "kafka_servers": run.lab.broker.servers,
        "redis_host": "127.0.0.1",
        "redis_port": run.lab.redis_server.port,
        "consumer_group": run.group,
        "output_prefix": f"{run.group}.",
        "checkpoint_interval_ms": CHECKPOINT_INTERVAL_MS,
    }
    return {name.upper(): str(value) for name, value in given.items()}
