"""What a log line looks like, on a terminal and elsewhere."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from twinstream.logging import bind, configure_logging, get_logger


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_json_where_nobody_watches() -> None:
    stream = io.StringIO()
    run_id = configure_logging(stream=stream)
    bind(group="transaction")
    get_logger("loop").warning("state rebuilt", partition=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "state rebuilt",
        "level": "warning",
        "run_id": run_id,
        "group": "transaction",
        "partition": 3,
    }


def test_lines_are_coloured_on_a_terminal() -> None:
    stream = Terminal()
    configure_logging(stream=stream)
    get_logger("loop").info("started")
    assert "\x1b[" in stream.getvalue()
    assert "started" in stream.getvalue()


def test_less_severe_lines_are_left_out() -> None:
    stream = io.StringIO()
    configure_logging("WARNING", stream=stream)
    get_logger("loop").info("quiet")
    get_logger("loop").error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_libraries_come_out_in_the_same_form_and_only_when_it_matters() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream, run_id="abc")
    logging.getLogger("kafka.conn").error("chatter")
    logging.getLogger("botocore").info("chatter")
    logging.getLogger("botocore").warning("connection to %s lost", "node 1")
    (line,) = lines(stream)
    assert (line["event"], line["run_id"]) == ("connection to node 1 lost", "abc")


def test_a_library_says_no_more_when_we_are_to_say_everything() -> None:
    stream = io.StringIO()
    configure_logging("DEBUG", stream=stream)
    logging.getLogger("kafka.conn").debug("chatter")
    logging.getLogger("botocore.auth").debug("secret chatter")
    get_logger("loop").debug("ours")
    assert [line["event"] for line in lines(stream)] == ["ours"]


def test_a_terminal_is_not_told_what_to_do_by_the_text_of_others() -> None:
    stream = Terminal()
    configure_logging(stream=stream)
    get_logger("loop").warning("refused", detail="\x1b]0;owned\x07", entity="[/red]")
    assert "\x1b]0;" not in stream.getvalue()
    assert r"\x1b]0;owned\x07" in stream.getvalue()
    assert "[/red]" in stream.getvalue()


def test_a_traceback_on_a_terminal_shows_no_values_of_variables() -> None:
    stream = Terminal()
    configure_logging(stream=stream)
    password = "hunter2".upper()
    try:
        raise ValueError(f"boom of {len(password)}")
    except ValueError:
        get_logger("loop").exception("feature failed")
    assert "ValueError: boom of 7" in stream.getvalue()
    assert "HUNTER2" not in stream.getvalue()


def test_lines_go_to_what_standard_error_is_when_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging(json=True)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    get_logger("loop").info("above the live line")
    assert "above the live line" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_traceback_is_one_field_of_a_json_line() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    try:
        raise ValueError("boom")
    except ValueError:
        get_logger("loop").exception("feature failed")
    (line,) = lines(stream)
    assert "ValueError: boom" in line["exception"]
