"""A standalone Flink cluster on this machine, from the pip package's own scripts."""

from collections.abc import Callable
from pathlib import Path

from twinstream.errors import UserError
from twinstream.job.distribution import FLINK, FLINK_DIRECTORY, environment, flink_home, prepare, temporary_folder
from twinstream.job.embedded import PROMETHEUS_REPORTER
from twinstream.job.rest import DEFAULT_PORT, FlinkRest
from twinstream.local.daemon import Daemon
from twinstream.local.jars import java_binary
from twinstream.local.ports import free_port, is_open, require_free
from twinstream.local.scratch import fresh, remove

METRICS_PORT = 9250
"""Prometheus finds the JobManager here, the TaskManagers at the next ones."""


class FlinkCluster:
    """A JobManager and some TaskManagers.

    Args:
        directory: configuration, logs, pid files and scratch space.
        port: of the REST interface and web UI.
        task_managers: how many.
        slots: subtasks that each can run.
        metrics_port: where the JobManager's metrics are; the TaskManagers' are at the next ports.
    """

    def __init__(
        self,
        directory: Path = FLINK_DIRECTORY,
        port: int = DEFAULT_PORT,
        task_managers: int = 1,
        slots: int = 4,
        metrics_port: int = METRICS_PORT,
    ) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.slots = slots
        self._metrics_port = metrics_port
        self._job_manager = Daemon("jobmanager", self.directory / "pid", port)
        self._task_managers = [self._task_manager(index) for index in range(task_managers)]

    @property
    def address(self) -> str:
        """host:port, what FLINK_CLUSTER would be."""
        return f"localhost:{self.port}"

    @property
    def metrics_ports(self) -> range:
        """Where metrics are served: the JobManager's first, then those of up to ten TaskManagers."""
        return range(self._metrics_port, self._metrics_port + 11)

    @property
    def task_manager_pids(self) -> list[int]:
        """Process ids of the TaskManagers that run."""
        return [pid for daemon in self._task_managers if (pid := daemon.pid) is not None]

    def start(self) -> None:
        """Start what does not run yet, and wait until every TaskManager offers its slots."""
        java_binary(FLINK.name)
        if not self._job_manager.running:
            require_free(self.port, f"FLINK_CLUSTER=localhost:{free_port()} for example")
            prepare(self._options(), self.directory)
            self._start(self._job_manager, "jobmanager.sh", lambda: is_open(self.port))
        self.add_task_managers(0)

    def add_task_managers(self, more: int) -> None:
        """Start the TaskManagers that do not run, and so many more."""
        self._task_managers += [self._task_manager(len(self._task_managers) + index) for index in range(more)]
        for daemon in self._task_managers:
            if not daemon.running:
                before = self._registered()  # with those that were killed and have not been missed yet
                self._start(daemon, "taskmanager.sh", lambda before=before: bool(self._registered() - before))  # type: ignore[misc]

    def kill_task_manager(self, index: int = 0) -> None:
        """End a TaskManager as a crash would."""
        self._task_managers[index].kill()

    def stop(self) -> bool:
        """End all of it; return whether any of it ran."""
        task_managers = self._known_task_managers()
        stopped = [daemon.stop() for daemon in [*task_managers, self._job_manager]]
        remove(self._temporary)
        return any(stopped)

    @property
    def _temporary(self) -> Path:
        return temporary_folder(self.directory) / "cluster"

    def _known_task_managers(self) -> list[Daemon]:
        """Those of this object, and those of earlier ones whose pid files are there."""
        found = len(list((self.directory / "pid").glob("taskmanager-*.pid")))
        return [self._task_manager(index) for index in range(max(found, len(self._task_managers)))]

    def _task_manager(self, index: int) -> Daemon:
        return Daemon(f"taskmanager-{index}", self.directory / "pid", self._metrics_port + index)

    def _registered(self) -> set[str]:
        try:
            return FlinkRest(self.address).task_managers()
        except UserError:
            return set()

    def _start(self, daemon: Daemon, script: str, ready: Callable[[], bool]) -> None:
        """Start a part of the cluster; its name is its folder for temporary files.

        Flink's scripts cannot have a space in the path of their libraries, so it is given from the working directory.
        """
        given = environment(fresh(self._temporary / daemon.name), self.directory)
        command = ["bash", str(flink_home() / "bin" / script), "start-foreground"]
        daemon.start(command, ready, environment=given | {"FLINK_LIB_DIR": "lib"}, directory=self.directory)

    def _options(self) -> dict[str, str]:
        """Flink's configuration of a cluster that lives on this machine only."""
        return {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": str(free_port()),
            "jobmanager.bind-host": "localhost",
            "jobmanager.memory.process.size": "900m",
            "taskmanager.host": "localhost",
            "taskmanager.bind-host": "localhost",
            "taskmanager.numberOfTaskSlots": str(self.slots),
            # A micro-batch lies in the heap some ten times over while it is made; the rest of 2.5 GB goes there.
            "taskmanager.memory.process.size": "2560m",
            "taskmanager.memory.managed.size": "640m",
            # Subtasks of one job on different TaskManagers where there are several. TASKS would balance tasks over
            # slots, and all slots of this job are of one TaskManager then.
            "taskmanager.load-balance.mode": "SLOTS",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": str(self.port),
            "rest.bind-port": str(self.port),
            "heartbeat.interval": "2 s",
            "heartbeat.timeout": "10 s",
            "metrics.fetcher.update-interval": "1 s",
            **PROMETHEUS_REPORTER,
            "metrics.reporter.prometheus.port": f"{self.metrics_ports[0]}-{self.metrics_ports[-1]}",
        }
