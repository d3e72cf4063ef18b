"""Flink's REST interface, as far as operating the job needs it."""

import json
import re
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from twinstream.errors import UserError
from twinstream.job.metrics import NEXT_OFFSET
from twinstream.packages import typed

ANSWER_TIMEOUT_S = 30.0

DEFAULT_PORT = 8081
"""Of a cluster's REST interface and web UI."""

PATIENCE_S = 30.0
"""How long a job may be restarting before a savepoint of it is given up."""

_POSITION = re.compile(rf"topic\.(.+)\.partition\.(\d+)\.{NEXT_OFFSET.name}$")

_TASKS_ARE_STARTING = "Not all required tasks are currently running"


class TasksDoNotRun(UserError):
    """A job kept restarting, so that no savepoint of it could be taken."""


class FlinkRest:
    """A cluster's REST interface. One on this machine is never asked through a proxy.

    Args:
        address: host:port.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        local = address.rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]")
        self._opener = build_opener(ProxyHandler({})) if local else build_opener()

    @property
    def url(self) -> str:
        """Where the web UI is."""
        return f"http://{self.address}"

    def overview(self) -> dict[str, Any]:
        """The cluster: its slots, its jobs."""
        seen: dict[str, Any] = self._ask("/overview")
        return seen

    def task_managers(self) -> set[str]:
        """The ids of the TaskManagers that are registered; a new one has a new id."""
        return {each["id"] for each in self._ask("/taskmanagers")["taskmanagers"]}

    def used_task_managers(self, job: str) -> set[str]:
        """The ids of the TaskManagers that a job's subtasks run on."""
        vertices = [self._ask(f"/jobs/{job}/vertices/{vertex['id']}") for vertex in self.job(job)["vertices"]]
        return {str(subtask["taskmanager-id"]) for vertex in vertices for subtask in vertex["subtasks"]}

    def running_jobs(self) -> list[str]:
        """Ids of the jobs that have not ended, the newest last."""
        jobs = self._ask("/jobs/overview")["jobs"]
        alive = [job for job in jobs if job["state"] not in ("FINISHED", "FAILED", "CANCELED")]
        return [str(job["jid"]) for job in sorted(alive, key=lambda job: int(job["start-time"]))]

    def state(self, job: str) -> str:
        """A job's state, such as RUNNING."""
        return str(self._ask(f"/jobs/{job}")["state"])

    def job(self, job: str) -> dict[str, Any]:
        """What the web UI shows of a job."""
        described: dict[str, Any] = self._ask(f"/jobs/{job}")
        return described

    def root_exception(self, job: str) -> str | None:
        """Why a job failed last."""
        history = self._ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return str(history[0]["stacktrace"]) if history else None

    def restarts(self, job: str) -> int:
        """How often a job has been restarted."""
        (metric,) = self._ask(f"/jobs/{job}/metrics?get=numRestarts") or [{"value": "0"}]
        return int(metric["value"])

    def checkpoints(self, job: str) -> int:
        """How many checkpoints a job has completed."""
        return int(self._ask(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def newest_checkpoint(self, job: str) -> str | None:
        """Where the newest state lies that a job can be continued from, as Flink spells it; None if there is none."""
        latest = self._ask(f"/jobs/{job}/checkpoints")["latest"]
        own = [latest[kind] for kind in ("completed", "savepoint") if latest.get(kind)]
        newest = max(own, key=lambda each: int(each["trigger_timestamp"]), default=latest.get("restored"))
        return None if newest is None else str(newest["external_path"])

    def positions(self, job: str) -> dict[tuple[str, int], int]:
        """The next offset of each partition by topic and number, as the job's stage says in its metrics."""
        found: dict[tuple[str, int], int] = {}
        for vertex in self.job(job)["vertices"]:
            path = f"/jobs/{job}/vertices/{vertex['id']}/subtasks/metrics"
            names = [each["id"] for each in self._ask(path)]
            wanted = ",".join(quote(name) for name in names if _POSITION.search(name))
            for metric in self._ask(f"{path}?get={wanted}&agg=max") if wanted else ():
                match = _POSITION.search(metric["id"])
                if match is not None:
                    found[match[1], int(match[2])] = int(metric["max"])
        return found

    def begin_checkpoint(self, job: str) -> str:
        """Ask for a checkpoint; `checkpoint_ended` takes what is returned."""
        return str(self._ask(f"/jobs/{job}/checkpoints", {})["request-id"])

    def checkpoint_ended(self, job: str, asked: str) -> bool | None:
        """Whether a checkpoint succeeded that was asked for; None while it is under way."""
        answer = self._ask(f"/jobs/{job}/checkpoints/{asked}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        return (answer.get("operation") or {}).get("failureCause", None) is None

    def savepoint(
        self, job: str, directory: str, *, stop: bool, seconds: float = 600, patience_s: float | None = None
    ) -> str:
        """Take a savepoint, and stop the job with it if wanted; return where it lies.

        Flink refuses while a task of the job is starting, so it is asked again until all of them run.

        Args:
            job: whose.
            directory: where to put it, as `flink_path` spells it.
            stop: whether to stop the job with it.
            seconds: how long Flink may take for it.
            patience_s: how long it is asked again while the job is restarting; None for `PATIENCE_S`.

        Raises:
            TasksDoNotRun: the job was restarting all the time.
            UserError: it could not be taken.
        """
        patience_s = PATIENCE_S if patience_s is None else patience_s
        give_up = time.monotonic() + patience_s
        while True:
            restarts = self.restarts(job)
            location, fault = self._try_savepoint(job, directory, stop, seconds)
            if location is not None:
                return location
            if _TASKS_ARE_STARTING not in fault and self.state(job) == "RUNNING" and self.restarts(job) == restarts:
                told = fault.splitlines()[0]
                raise UserError(f"Flink could not take the savepoint: {told}. Is {directory} writable for it?")
            if time.monotonic() > give_up:
                raise TasksDoNotRun(f"No savepoint could be taken within {patience_s:.0f} s: the job is restarting.")
            time.sleep(1)

    def _try_savepoint(self, job: str, directory: str, stop: bool, seconds: float) -> tuple[str | None, str]:
        """Where the savepoint lies, or Flink's stack trace that says why there is none."""
        if stop:
            asked = self._ask(f"/jobs/{job}/stop", {"targetDirectory": directory, "drain": False})
        else:
            asked = self._ask(f"/jobs/{job}/savepoints", {"target-directory": directory, "cancel-job": False})
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = self._ask(f"/jobs/{job}/savepoints/{asked['request-id']}")
            if answer["status"]["id"] == "COMPLETED":
                outcome = answer["operation"]
                if "location" in outcome:
                    return str(outcome["location"]), ""
                return None, str(outcome["failure-cause"]["stack-trace"])
            time.sleep(0.2)
        raise UserError(f"Flink has not finished the savepoint after {seconds:.0f} s. See {self.url}.")

    def cancel(self, job: str) -> None:
        """End a job without a savepoint."""
        self._ask(f"/jobs/{job}", {}, method="PATCH")

    def _ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self._opener.open(request, timeout=ANSWER_TIMEOUT_S) as response:
                content = response.read()
        except HTTPError as error:
            reason = " ".join(error.read().decode(errors="replace").split())[:300]
            raise UserError(f"Flink at {self.address} refused {path}: {reason}") from None
        except (URLError, OSError) as error:
            raise UserError(
                f"Flink does not answer at {self.address} ({error}). Start a cluster with "
                f'"{typed("flink-cluster", "twinstream flink up")}" or set FLINK_CLUSTER.'
            ) from None
        return json.loads(content) if content else None
