"""The whole way in a folder whose name has a space and an accent, in a locale that knows neither, behind a proxy."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import free_port
from deploy.local.paths import KAFKA, ROOT, RUN_DIRECTORY
from twinstream.job.distribution import FLINK

NEEDED = ("config", "deploy", "features", "flink", "producers", "schema", "store", "twinstream")
LOCALE = {"LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING"}

pytestmark = pytest.mark.timeout(900)


class Folder:
    """A copy of the repository, with its commands."""

    def __init__(self, path: Path, temporary: Path) -> None:
        self.path = path
        self.temporary = temporary
        nobody = f"http://127.0.0.1:{free_port()}"
        self._environment = {name: value for name, value in os.environ.items() if name not in LOCALE} | {
            "LC_ALL": "C",
            "NO_COLOR": "1",
            "TMPDIR": str(temporary),
            "http_proxy": nobody,
            "https_proxy": nobody,
            "KAFKA_SERVERS": f"localhost:{free_port()}",
            "REDIS_PORT": str(free_port()),
            "METRICS_PORT": str(free_port()),
            "FLINK_UI_PORT": str(free_port()),
            "AWS_ENDPOINT_URL": "https://kinesis.example",  # none of its own
            "CHECKPOINT_INTERVAL_MS": "1000",
        }

    def run(self, *arguments: str, **environment: str) -> str:
        """Run a command of the repository, which must succeed; returns what it wrote."""
        outcome = subprocess.run(
            [str(self.path / ".venv" / "bin" / "python"), *arguments],
            cwd=self.path,
            env=self._environment | environment,
            capture_output=True,
            check=False,
        )
        said = (outcome.stdout + outcome.stderr).decode()
        assert outcome.returncode == 0, f"{arguments}: {said}"
        return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """The copy, with the environment and the jars that are there already."""
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    path = home / "données 1"
    for name in NEEDED:
        shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", path)
    for jars in (KAFKA, FLINK):
        jars.fetch()
    (path / ".run").mkdir()
    (path / ".run" / "jars").symlink_to(RUN_DIRECTORY / "jars")
    (path / ".venv").symlink_to(ROOT / ".venv")
    folder = Folder(path, temporary)
    try:
        yield folder
    finally:
        folder.run("-m", "deploy.local", "down")


def test_demo_producers_loop_and_job_run_there_and_leave_nothing_elsewhere(folder: Folder) -> None:
    assert "features:transaction:" in folder.run("-m", "deploy.demo")
    folder.run("-m", "deploy.local", "down")
    folder.run("-m", "deploy.local", "up")  # finds the data of before
    folder.run("-m", "producers", "parquet", "--rows", "1000", "--out", "outputs")
    job = {"CONSUMER_GROUP": "job", "OUTPUT_PREFIX": "job.", "REDIS_DB": "1"}
    stopped = folder.run("-m", "twinstream", "flink", "run", "--until-caught-up", **job)
    savepoints = folder.path / ".run" / "flink" / "state" / "savepoints"
    assert f"make run-flink SAVEPOINT='{savepoints}/savepoint-" in stopped
    folder.run("-m", "producers", "seed", "--count", "1000", "--seed", "7")
    folder.run("-m", "twinstream", "flink", "run", "--until-caught-up", SAVEPOINT="latest", **job)
    assert len(list(savepoints.iterdir())) == 2
    folder.run("-m", "deploy.local", "down")
    assert [found.name for found in folder.path.parent.iterdir()] == [folder.path.name]
    assert {found.name for found in folder.path.iterdir()} == {*NEEDED, "Makefile", ".run", ".venv", "outputs"}
    assert {found.name for found in folder.temporary.iterdir()} <= {f"twinstream-slots-{os.getuid()}"}
