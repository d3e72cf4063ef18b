"""`python -m deploy.local`, as `make up` and `make down` call it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import deploy.local.__main__ as command
from deploy.local import LocalKafka, LocalRedis, free_port
from deploy.local.aws import LocalAws
from deploy.local.compose import Compose, docker_answers
from deploy.local.paths import ROOT
from deploy.local.services import Ports, local_services
from twinstream.errors import UserError
from twinstream.settings import load_settings

STAND_IN_FOR_DOCKER = """\
#!/bin/sh
echo "$@ kafka=$KAFKA_PORT redis=$REDIS_PORT" >> {calls}
"""


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ports]:
    """Free ports in the settings, a run directory of the test's own, and no Docker."""
    ports = Ports(kafka=free_port(), redis=free_port(), aws=free_port())
    monkeypatch.setenv("KAFKA_SERVERS", f"localhost:{ports.kafka}")
    monkeypatch.setenv("REDIS_PORT", str(ports.redis))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://localhost:{ports.aws}")
    monkeypatch.setattr(command, "RUN_DIRECTORY", tmp_path)
    monkeypatch.setattr(command, "docker_answers", lambda: False)
    yield ports
    LocalKafka(tmp_path / "kafka", ports.kafka).kill()
    LocalRedis(tmp_path / "redis", ports.redis).kill()
    LocalAws(tmp_path / "aws", ports.aws).stop()


def run(*arguments: str) -> list[str]:
    outcome = CliRunner().invoke(command.app, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    return [line for line in outcome.output.splitlines() if line.strip()]


def test_up_and_down_may_each_be_called_twice(ports: Ports) -> None:
    kafka, redis, aws, *topics = run("up")
    assert "started in" in kafka
    assert "started in" in redis
    assert "started in" in aws
    assert topics[0].startswith("topics  created transactions, orders, clickstream")
    assert all(len(line) <= 80 for line in topics)
    assert topics[-1].endswith("clickstream.dlq")
    kafka, redis, aws, told = run("up")
    assert kafka.endswith(f"already running at 127.0.0.1:{ports.kafka}")
    assert redis.endswith(f"already running at 127.0.0.1:{ports.redis}")
    assert told.endswith("all there")
    assert all("running (pid" in line for line in run("status"))
    assert all(line.endswith(" stopped") for line in run("down"))
    assert all(line.endswith("was not running") for line in run("down"))
    assert all(line.endswith("not running") for line in run("status"))


def test_data_is_there_after_down_and_up_unless_wiped(ports: Ports, tmp_path: Path) -> None:
    run("up")
    run("down")
    assert run("up")[-1].endswith("all there")
    run("down", "--wipe")
    assert not (tmp_path / "kafka").exists()
    assert not (tmp_path / "redis").exists()


def test_nothing_is_started_while_one_port_is_taken(ports: Ports, tmp_path: Path) -> None:
    other = LocalRedis(tmp_path / "other", ports.redis)
    other.start()
    try:
        with pytest.raises(UserError, match=rf"^Port {ports.redis} is in use by redis-server \(pid {other.pid}\)"):
            run("up")
        assert LocalKafka(tmp_path / "kafka", ports.kafka).pid is None
        run("down")
        assert other.pid is not None
    finally:
        other.kill()


def test_docker_is_used_where_it_answers_and_ended_by_down(
    ports: Ports, kafka_broker: LocalKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(STAND_IN_FOR_DOCKER.format(calls=calls))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    monkeypatch.setattr(command, "docker_answers", docker_answers)
    run("up")
    run("down")
    run("down")
    asked = calls.read_text().splitlines()
    compose = [call for call in asked if call.startswith("compose") and "version" not in call]
    assert compose == [
        f"compose up --detach --wait kafka={kafka_broker.port} redis={ports.redis}",
        "compose down kafka=9092 redis=6379",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAFKA_SERVERS", "broker.example:9092"),
        ("KAFKA_SERVERS", "localhost:9092,localhost:9093"),
        ("REDIS_HOST", "cache.example"),
        ("REDIS_URL", "redis://me:secret@cache.example:6379"),
    ],
)
def test_up_does_not_pretend_to_start_another_machines_services(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError, match=rf"^{variable} is .*, which is not this machine") as caught:
        Ports.of(load_settings())
    assert "secret" not in str(caught.value)


def test_aws_elsewhere_is_no_reason_not_to_start_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://kinesis.example")
    services = local_services(tmp_path, Ports.of(load_settings()))
    assert [service.name for service in services] == ["kafka", "redis"]


def test_missing_topics_are_created_on_any_broker(
    kafka_broker: LocalKafka, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = unique("run") + "."
    monkeypatch.setenv("KAFKA_SERVERS", kafka_broker.servers)
    monkeypatch.setenv("OUTPUT_PREFIX", prefix)
    assert f"{prefix}transactions.dlq" in " ".join(run("topics"))
    assert run("topics")[-1].endswith("all there")


def test_failure_of_docker_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 17\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert not docker_answers()
    with pytest.raises(UserError, match=r"^`docker compose up --detach --wait` failed with code 17; its own message"):
        Compose(ROOT, {}, tmp_path / "marker").up()


def test_failure_of_the_command_is_one_line_and_exit_code_2() -> None:
    environment = {**os.environ, "KAFKA_SERVERS": "broker.example:9092"}
    outcome = subprocess.run(
        [sys.executable, "-m", "deploy.local", "up"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: KAFKA_SERVERS is broker.example:9092")
    assert outcome.stderr.count("\n") == 1
