"""No password or key is ever shown: not in a message, a log line or a traceback, whichever way it was given."""

import importlib
import io
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from tests.certificates import Authority
from twinstream.logging import configure_logging, get_logger
from twinstream.settings import Settings, environment_names, load_settings

SECRET = "hunter2"
NOBODY = "127.0.0.1:1"

REDIS_URLS = [
    f"redis://:{SECRET}@{NOBODY}/0",
    f"redis://{SECRET}@{NOBODY}/0",
    f"redis://me:{SECRET}/x@{NOBODY}/0",
    f"redis://:12/{SECRET}@{NOBODY}/0",
    f"redis://:12?{SECRET}@{NOBODY}/0",
    f"redis://:12#{SECRET}@{NOBODY}/0",
    f"redis://:{SECRET}[@{NOBODY}/0",
    f"redis://{NOBODY}/0?password={SECRET}",
    f"rediss://me:{SECRET}@{NOBODY}/0?ssl_password={SECRET}",
    f"unix://me:{SECRET}@/nowhere/redis.sock",
    f"{SECRET}",
]
SASL = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me"}
COMMANDS = {
    "twinstream.loop.worker": ["--until-caught-up"],
    "twinstream.cli": ["get", "transaction", "card"],
    "producers.cli": ["seed", "--count", "1"],
}
WAYS: dict[str, dict[str, str]] = {
    **{f"redis url {number}": {"REDIS_URL": url} for number, url in enumerate(REDIS_URLS)},
    "redis host": {"REDIS_HOST": f"me:{SECRET}@there"},
    "kafka servers": {"KAFKA_SERVERS": f"me:{SECRET}@there:9092"},
    "sasl password": SASL | {"KAFKA_SASL_PASSWORD": SECRET},
    "scram password": SASL | {"KAFKA_SASL_PASSWORD": SECRET, "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"},
    "sasl without a name": SASL | {"KAFKA_SASL_PASSWORD": SECRET, "KAFKA_SASL_USERNAME": ""},
    "key password": {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_PASSWORD": SECRET},
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting from outside, the most talkative log, and nobody that answers."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for name in Settings.model_fields:
        for variable in environment_names(name):
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("KAFKA_SERVERS", NOBODY)
    monkeypatch.setenv("REDIS_PORT", "1")
    monkeypatch.setattr("twinstream.log.kafka.client_options.ANSWER_TIMEOUT_MS", 200)
    monkeypatch.setattr("producers.sinks.kafka.CONNECT_TIMEOUT_MS", 200)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def told(module: str, arguments: list[str]) -> str:
    """All that a command says, and the traceback that it would leave behind if nobody caught its error."""
    result = CliRunner().invoke(importlib.import_module(module).app, arguments)
    assert result.exit_code != 0
    assert result.exception is not None
    return result.output + "".join(traceback.format_exception(result.exception))


@pytest.mark.parametrize("way", WAYS)
def test_no_command_shows_a_secret(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    for module, arguments in COMMANDS.items():
        # The line that quotes this test's own source is no message of ours.
        said = [line for line in told(module, arguments).splitlines() if "SECRET" not in line]
        assert SECRET not in "\n".join(said), module


def test_no_command_shows_a_key_that_it_cannot_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = Authority(tmp_path).issue("worker", password="another")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("KAFKA_SSL_CERTFILE", str(certificate))
    monkeypatch.setenv("KAFKA_SSL_KEYFILE", str(key))
    monkeypatch.setenv("KAFKA_SSL_PASSWORD", SECRET)
    assert SECRET not in told("twinstream.loop.worker", [])


def test_no_log_line_of_a_failure_shows_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    settings = load_settings(redis_url=REDIS_URLS[0], kafka_sasl_password=SECRET)
    for stream in (io.StringIO(), Terminal()):
        configure_logging("DEBUG", stream=stream)
        try:
            raise RuntimeError(f"with {settings!r}")
        except RuntimeError:
            get_logger("loop").exception("failed", settings=settings)
        assert "failed" in stream.getvalue()
        assert SECRET not in stream.getvalue()
