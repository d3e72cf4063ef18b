"""What is asked of Flink's REST interface, and what is made of its answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from deploy.local import free_port
from twinstream.errors import UserError
from twinstream.job.command import take_savepoint
from twinstream.job.rest import FlinkRest, TasksDoNotRun

NOT_RUNNING = "org.apache.flink.runtime.checkpoint.CheckpointException: Not all required tasks are currently running."
UNWRITABLE = "java.io.IOException: Mkdirs failed to create file:/state\n\tat a.b(c)"
TRACE = (
    "java.lang.RuntimeException: it broke\n\tat a.b(c)\nCaused by: java.lang.NoClassDefFoundError: zstd\n\t... 9 more"
)


class Answers(dict[str, Any]):
    """What a Flink answers, by the end of the path; and what it was asked."""

    asked: list[str]


@contextmanager
def flink(answers: Answers) -> Iterator[FlinkRest]:
    """A REST interface with these answers."""
    answers.asked = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answers.asked.append(self.path)
            (found,) = [value for end, value in answers.items() if self.path.endswith(end)]
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: object) -> None:
            """Not of interest."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield FlinkRest(f"127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


def a_job(state: str, failure: str, latest: dict[str, Any] | None = None) -> Answers:
    """A job whose savepoints fail so."""
    return Answers(
        {
            "/jobs/one": {"state": state},
            "/jobs/one/metrics?get=numRestarts": [{"value": "7"}],
            "/jobs/one/stop": {"request-id": "r"},
            "/savepoints/r": {
                "status": {"id": "COMPLETED"},
                "operation": {"failure-cause": {"stack-trace": failure}},
            },
            "/jobs/one/checkpoints": {"latest": latest or {}},
            "/jobs/one/exceptions": {"exceptionHistory": {"entries": [{"stacktrace": TRACE}]}},
        }
    )


CHECKPOINT = {"trigger_timestamp": 2_000, "external_path": "file:/a folder/checkpoints/chk-3"}
SAVEPOINT = {"trigger_timestamp": 1_000, "external_path": "file:/a folder/savepoints/savepoint-1"}


@pytest.mark.parametrize("state", ["RESTARTING", "RUNNING"])
def test_a_savepoint_of_a_restarting_job_is_given_up_in_time(state: str) -> None:
    with flink(a_job(state, NOT_RUNNING)) as rest, pytest.raises(TasksDoNotRun, match="within 2 s"):
        rest.savepoint("one", "file:///state", stop=True, patience_s=2)


def test_a_savepoint_that_cannot_be_written_is_not_asked_for_again() -> None:
    answers = a_job("RUNNING", UNWRITABLE)
    with flink(answers) as rest, pytest.raises(UserError, match=r"Mkdirs failed.*Is file:///state writable for it\?"):
        rest.savepoint("one", "file:///state", stop=True)
    assert sum(path.endswith("/stop") for path in answers.asked) == 1


@pytest.mark.parametrize(
    ("latest", "told"),
    [
        ({"completed": CHECKPOINT, "savepoint": SAVEPOINT}, "SAVEPOINT='/a folder/checkpoints/chk-3'"),
        ({"completed": None, "restored": SAVEPOINT}, "SAVEPOINT='/a folder/savepoints/savepoint-1'"),
        ({"completed": None}, "It has no checkpoint yet"),
    ],
)
def test_who_stops_a_restarting_job_is_told_why_and_what_to_continue_from(
    latest: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinstream.job.rest.PATIENCE_S", 1)
    with flink(a_job("RESTARTING", NOT_RUNNING, latest)) as rest, pytest.raises(UserError) as caught:
        take_savepoint(rest, "one", "file:///state", stop=True)
    assert "Last failure: java.lang.NoClassDefFoundError: zstd." in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_flink_on_this_machine_is_not_asked_through_a_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    with flink(a_job("RUNNING", NOT_RUNNING)) as rest:
        assert rest.state("one") == "RUNNING"
