"""`twinstream serve` as it is typed: a real process over a real Redis."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from deploy.local import LocalRedis, free_port
from tests.features.events import MIDDAY_MS
from tests.online.worker import PARTITION_0, Worker, first
from tests.serving.calls import Answered
from tests.serving.conftest import EPOCH
from tests.serving.service import Service
from tests.waiting import wait_until
from twinstream.online.redis.store import RedisStore

ROOT = Path(__file__).resolve().parents[2]

Start = Callable[..., Service]

ONE = f"/v1/features/transaction/card_1?at={MIDDAY_MS}"


def write(client: redis.Redis, *cards: str) -> None:
    """Write cards with a payment each."""
    Worker(RedisStore(client, "twinstream", "there"), PARTITION_0, EPOCH).write(*(first(card) for card in cards))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("workers", [1, 2])
def test_it_serves_until_it_is_asked_to_end(
    service: Start, redis_client: redis.Redis, number: signal.Signals, workers: int
) -> None:
    write(redis_client, "card_1")
    serving = service("--workers", str(workers)).until_up()

    answered = serving.call("GET", ONE)

    assert (answered.status, answered.data["status"]) == (200, "present")
    assert serving.end(number) == 0
    assert "Traceback" not in serving.said()


def test_two_processes_are_scraped_as_one(service: Start, redis_client: redis.Redis) -> None:
    write(redis_client, "card_1")
    serving = service(serving_workers=2).until_up()

    for _ in range(20):
        assert serving.call("GET", ONE).status == 200

    counted = 'twinstream_serving_answers_total{group="transaction",status="present"} 20.0'
    wait_until(lambda: counted in serving.call("GET", "/metrics").body.decode(), "all answers are counted")


def test_processes_whose_supervisor_was_killed_do_not_serve_on(service: Start) -> None:
    serving = service(serving_workers=2).until_up()

    serving.kill_supervisor()

    def gone() -> bool:
        try:
            serving.call("GET", "/healthz")
        except OSError:
            return True
        return False

    wait_until(gone, "nobody serves")


def test_other_definitions_are_served_as_they_are_named(service: Start) -> None:
    serving = service("--features", str(ROOT / "examples/sign-ins/shop/features.py")).until_up()

    (group,) = serving.call("GET", "/v1/catalog").data["groups"]
    assert group["name"] == "login"
    assert serving.call("GET", "/v1/features/login/nobody").data["status"] == "absent"


def test_a_redis_that_goes_is_a_503_and_is_found_again(service: Start, tmp_path: Path) -> None:
    server = LocalRedis(tmp_path / "redis", free_port())
    server.start()
    try:
        with server.client() as client:
            write(client, "card_1")
        serving = service(redis_port=server.port).until_up()
        before = serving.call("GET", ONE)

        server.kill()
        gone = serving.call("GET", ONE)
        assert (gone.status, gone.error) == (503, "store_unavailable")
        assert (serving.call("GET", "/readyz").status, serving.call("GET", "/healthz").status) == (503, 200)

        server.start()
        assert serving.call("GET", ONE) == before._replace(headers=serving.call("GET", ONE).headers)
    finally:
        server.kill()


def test_a_redis_that_does_not_answer_is_a_503_in_time_for_any_number_of_callers(
    service: Start, tmp_path: Path
) -> None:
    server = LocalRedis(tmp_path / "redis", free_port())
    server.start()
    try:
        serving = service(redis_port=server.port, serving_timeout_ms=500, serving_max_in_flight=8).until_up()
        assert serving.call("GET", ONE).status == 200
        assert server.pid is not None
        with stopped(server.pid):
            answers = at_once(serving, 40)
        kinds = {(each.status, each.error) for each in answers}
        assert kinds <= {(503, "store_unavailable"), (503, "overloaded")}
        assert (503, "store_unavailable") in kinds
        wait_until(lambda: serving.call("GET", ONE).status == 200, "it answers again")
    finally:
        server.kill()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def at_once(serving: Service, callers: int) -> list[Answered]:
    """The same call from many callers at the same time."""
    answers: list[Answered] = []
    threads = [threading.Thread(target=lambda: answers.append(serving.call("GET", ONE))) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == callers
    return answers


def test_a_redis_that_was_restarted_while_nobody_asked_costs_no_caller_an_answer(
    service: Start, tmp_path: Path
) -> None:
    server = LocalRedis(tmp_path / "redis", free_port())
    server.start()
    try:
        serving = service(redis_port=server.port).until_up()
        assert serving.call("GET", ONE).status == 200

        server.kill()
        server.start()

        assert serving.call("GET", ONE).status == 200
    finally:
        server.kill()


def test_garbage_and_callers_that_hang_up_leave_it_serving(service: Start) -> None:
    serving = service().until_up()
    for sent in (
        b"\x00\xff\n\n",
        b"GET /healthz HTTP/1.1\r\n",
        b"POST /v1/features HTTP/1.1\r\nContent-Length: 99\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", serving.port)) as connection:
            connection.sendall(sent)

    assert serving.call("GET", "/healthz").status == 200
    assert "Traceback" not in serving.said()


NOBODY = free_port()

REFUSALS: dict[str, tuple[list[str], dict[str, object], str]] = {
    "no Redis": ([], {"redis_port": NOBODY}, "Redis does not answer at"),
    "an address that others reach": (["--host", "0.0.0.0"], {}, "SERVING_HOST=0.0.0.0 is an address that others may"),
    "all addresses of IPv6": ([], {"serving_host": "::"}, "--open-to-anybody"),
    "a name that looks like loopback": (["--host", "127.nowhere.invalid"], {}, "cannot be resolved"),
    "a wrong port": (["--port", "99999"], {}, "SERVING_PORT is 99999 (from a flag); expected"),
    "no definitions": (["--features", "nowhere.at_all"], {}, "There is no module nowhere.at_all"),
}


@pytest.mark.parametrize(("arguments", "settings", "expected"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_served_is_one_line(
    service: Start, arguments: list[str], settings: dict[str, object], expected: str
) -> None:
    assert expected in refusal(service(*arguments, **settings))


def test_a_port_that_is_taken_is_one_line(service: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"SERVING_PORT={port} on 127.0.0.1 cannot be used" in refusal(service(serving_port=port))


def test_a_password_of_redis_is_never_told(service: Start, redis_server: LocalRedis, redis_client: redis.Redis) -> None:
    url = f"redis://:secret-word@127.0.0.1:{redis_server.port}/0"
    redis_client.config_set("requirepass", "secret-word")
    try:
        serving = service(redis_url=url).until_up()
        redis_client.config_set("requirepass", "another")
        redis_client.client_kill_filter(_type="normal", skipme=True)
        answered = serving.call("GET", ONE)
    finally:
        redis_client.config_set("requirepass", "")
    assert answered.status == 503
    assert b"secret-word" not in answered.body
    assert "secret-word" not in serving.said()


def test_it_is_opened_to_others_only_where_that_is_said(service: Start) -> None:
    serving = service("--host", "0.0.0.0", "--open-to-anybody").until_up()

    assert serving.call("GET", "/healthz").status == 200


def test_help_says_that_there_are_no_tokens_yet() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "twinstream", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout

    assert "There are no tokens yet" in " ".join(shown.replace("│", " ").split())


def refusal(serving: Service) -> str:
    """The one line of a service that does not start."""
    assert serving.wait() == 2
    (line,) = [line for line in serving.said().splitlines() if line]
    assert line.startswith("error: ")
    return line
