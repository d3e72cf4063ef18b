"""Flink's REST interface, as far as operating the job needs it."""

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from runtime.errors import UserError

ANSWER_TIMEOUT_S = 30.0

_TASKS_ARE_STARTING = "Not all required tasks are currently running"


class FlinkRest:
    """A cluster's REST interface.

    Args:
        address: host:port.
    """

    def __init__(self, address: str) -> None:
        self.address = address

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

    def savepoint(self, job: str, directory: str, *, stop: bool, seconds: float = 600) -> str:
        """Take a savepoint, and stop the job with it if wanted; return where it lies.

        Flink refuses while a task of the job is starting, so it is asked again until all of them run.

        Raises:
            UserError: it could not be taken.
        """
        if stop:
            request = f"/jobs/{job}/stop", {"targetDirectory": directory, "drain": False}
        else:
            request = f"/jobs/{job}/savepoints", {"target-directory": directory, "cancel-job": False}
        deadline = time.monotonic() + seconds
        asked = self._ask(*request)
        while time.monotonic() < deadline:
            answer = self._ask(f"/jobs/{job}/savepoints/{asked['request-id']}")
            if answer["status"]["id"] == "COMPLETED":
                outcome = answer["operation"]
                if "location" in outcome:
                    return str(outcome["location"])
                cause = str(outcome["failure-cause"]["stack-trace"])
                if _TASKS_ARE_STARTING not in cause:
                    told = cause.splitlines()[0]
                    raise UserError(f"Flink could not take the savepoint: {told}. Is {directory} writable for it?")
                asked = self._ask(*request)
            time.sleep(0.2)
        raise UserError(f"Flink has not finished the savepoint after {seconds:.0f} s. See {self.url}.")

    def cancel(self, job: str) -> None:
        """End a job without a savepoint."""
        self._ask(f"/jobs/{job}", {}, method="PATCH")

    def _ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
                content = response.read()
        except HTTPError as error:
            reason = " ".join(error.read().decode(errors="replace").split())[:300]
            raise UserError(f"Flink at {self.address} refused {path}: {reason}") from None
        except (URLError, OSError) as error:
            raise UserError(
                f'Flink does not answer at {self.address} ({error}). Start a cluster with "make flink-cluster" or set '
                "FLINK_CLUSTER."
            ) from None
        return json.loads(content) if content else None
