"""A background process and its pid file."""

import json
import os
from pathlib import Path

import psutil
import pytest

from twinstream.errors import UserError
from twinstream.local.daemon import Daemon

PORT = 1
SLEEP = ["sleep", "600"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo armed; while :; do sleep 0.1; done"]


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon("sleeper", tmp_path, PORT)


def test_process_is_found_again_by_its_pid_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(SLEEP, lambda: True)
    found = Daemon("sleeper", tmp_path, PORT)
    assert found.running
    assert found.pid == daemon.pid
    assert found.stop()
    assert daemon.pid is None
    assert not daemon.stop()


def test_pid_that_now_belongs_to_another_program_is_left_alone(daemon: Daemon) -> None:
    me = os.getpid()
    an_hour_ago = psutil.Process(me).create_time() - 3600
    daemon.pid_file.write_text(json.dumps({"pid": me, "started": an_hour_ago, "port": PORT}))
    assert daemon.pid is None
    assert not daemon.stop()
    assert not daemon.pid_file.exists()


@pytest.mark.parametrize("content", ["", "12", "[]", '{"pid": 1}', "not json"])
def test_damaged_pid_file_counts_as_not_running(daemon: Daemon, content: str) -> None:
    daemon.pid_file.write_text(content)
    assert daemon.pid is None


def test_process_that_ends_while_starting_has_its_last_words_quoted(daemon: Daemon) -> None:
    with pytest.raises(UserError, match=r"^sleeper ended while starting: no such disk \(see .*sleeper\.log\)\.$"):
        daemon.start(["sh", "-c", "echo no such disk; exit 1"], lambda: False)
    assert not daemon.pid_file.exists()


def test_process_that_never_gets_ready_is_ended(daemon: Daemon) -> None:
    with pytest.raises(UserError, match=r"was not ready after 0 s"):
        daemon.start(SLEEP, lambda: False, seconds=0.2)
    assert daemon.pid is None


def test_process_that_ignores_the_request_to_end_is_ended_all_the_same(daemon: Daemon) -> None:
    daemon.start(STUBBORN, lambda: "armed" in daemon.log_file.read_text())
    assert daemon.stop(seconds=0.3)
    assert daemon.pid is None


def test_process_on_another_port_is_not_mistaken_for_the_one_asked_for(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(SLEEP, lambda: True)
    with pytest.raises(UserError, match=r'^sleeper runs at port 1 already, not 2\. End it first: "make down"\.$'):
        _ = Daemon("sleeper", tmp_path, 2).running
    daemon.kill()
    assert not Daemon("sleeper", tmp_path, 2).running
