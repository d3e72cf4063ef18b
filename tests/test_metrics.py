"""The metrics' names, and what the HTTP server beside a worker answers."""

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from twinstream.errors import UserError
from twinstream.health import HealthServer
from twinstream.loop.loop_metrics import LoopMetrics


class Worker:
    """A stand-in whose readiness the test decides."""

    ready: tuple[bool, str] = (True, "")

    def readiness(self) -> tuple[bool, str]:
        return self.ready


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def metrics() -> LoopMetrics:
    return LoopMetrics()


@pytest.fixture
def server(metrics: LoopMetrics, worker: Worker) -> Iterator[HealthServer]:
    server = HealthServer(metrics.registry, lambda: worker.readiness(), port=0).start()
    yield server
    server.stop()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_served_with_their_values(server: HealthServer, metrics: LoopMetrics) -> None:
    metrics.consumer_lag.labels("transactions", "2").set(17)
    metrics.dead_letters.labels("transactions", "late").inc(3)
    status, body = get(server, "/metrics")
    assert status == 200
    assert 'twinstream_consumer_lag{partition="2",topic="transactions"} 17.0' in body
    assert 'twinstream_dead_letters_total{reason="late",topic="transactions"} 3.0' in body


def test_partition_that_was_given_away_is_no_longer_reported(server: HealthServer, metrics: LoopMetrics) -> None:
    metrics.consumer_lag.labels("transactions", "2").set(17)
    metrics.event_time_ahead.labels("transactions", "2").set(1.5)
    metrics.forget_partition("transactions", 2)
    metrics.forget_partition("transactions", 3)
    assert "transactions" not in get(server, "/metrics")[1]


def test_process_that_lives_is_healthy_even_when_not_ready(server: HealthServer, worker: Worker) -> None:
    worker.ready = (False, "Redis does not answer")
    assert get(server, "/healthz") == (200, "ok\n")
    assert get(server, "/readyz") == (503, "Redis does not answer\n")


def test_worker_that_makes_progress_is_ready(server: HealthServer) -> None:
    assert get(server, "/readyz") == (200, "ready\n")


def test_readiness_that_fails_is_not_ready(
    server: HealthServer, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> tuple[bool, str]:
        raise ConnectionError("gone")

    monkeypatch.setattr(worker, "readiness", fail)
    assert get(server, "/readyz") == (503, "ConnectionError: gone\n")


def test_unknown_path_says_which_there_are(server: HealthServer) -> None:
    assert get(server, "/")[0] == 404
    assert "/readyz" in get(server, "/")[1]


def test_commit_age_starts_anew_with_each_commit(metrics: LoopMetrics) -> None:
    def age() -> float:
        value = metrics.registry.get_sample_value("twinstream_commit_age_seconds")
        assert value is not None
        return value

    before = age()
    assert age() > before
    metrics.committed()
    assert age() < 1


def test_taken_port_is_one_line_that_names_the_setting(metrics: LoopMetrics) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^METRICS_PORT={port} on 127.0.0.1 cannot be used .*METRICS_PORT"):
            HealthServer(metrics.registry, lambda: (True, ""), port=port)


def test_port_is_given_back_on_stop(metrics: LoopMetrics) -> None:
    first = HealthServer(metrics.registry, lambda: (True, ""), port=0).start()
    first.stop()
    second = HealthServer(metrics.registry, lambda: (True, ""), port=first.port).start()
    second.stop()


def test_names_are_those_of_a_scrape(server: HealthServer, metrics: LoopMetrics) -> None:
    body = get(server, "/metrics")[1]
    declared = {line.split()[2] for line in body.splitlines() if line.startswith("# TYPE")}
    bases = {name for name in declared if not name.endswith("_created")}
    assert {"twinstream_events_total", "twinstream_batch_seconds_bucket", "twinstream_redis_up"} <= metrics.names()
    assert all(any(name.startswith(base) for name in metrics.names()) for base in bases)
