"""Folders for what a process needs while it runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.local.paths import ROOT
from twinstream.local.scratch import claim, claimed, java_environment

CLAIM = """
import os, sys
from pathlib import Path
from twinstream.local.scratch import claim
print(claim(Path(sys.argv[1])), flush=True)
os.execvp("sleep", ["sleep", "600"])
"""


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has claimed a folder and become another program by `exec` since."""
    process = subprocess.Popen([sys.executable, "-c", CLAIM, str(parent)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_next_start_clears_what_a_killed_one_left_and_touches_no_live_one(tmp_path: Path) -> None:
    killed, left = holder(tmp_path)
    live, kept = holder(tmp_path)
    try:
        for folder in (left, kept):
            (folder / "flink-rpc.jar").write_bytes(b"jar")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        mine = claim(tmp_path)
        assert not left.exists()
        assert (kept / "flink-rpc.jar").exists()
        assert sorted(tmp_path.iterdir()) == sorted([kept, mine])
    finally:
        live.kill()
        live.wait()


def test_a_block_leaves_nothing_behind(tmp_path: Path) -> None:
    with claimed(tmp_path / "tmp" / "runs") as folder:
        (folder / "minicluster").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_java_puts_its_files_into_a_folder_whatever_its_name(tmp_path: Path) -> None:
    scratch = tmp_path / "dossier é 1"
    scratch.mkdir()
    show = ["java", "-XshowSettings:properties", "-version"]
    said = subprocess.run(show, env=os.environ | java_environment(scratch), capture_output=True).stderr
    assert f"java.io.tmpdir = {scratch}" in said.decode()
