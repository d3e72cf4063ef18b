"""One file in an empty folder, and the wheel: the file's group in the loop, the job, a backfill and a training set."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import polars as pl
import pytest
from kafka import KafkaProducer

from deploy.local import LocalKafka, LocalRedis, free_port
from tests.test_definitions import LOGINS
from tests.topics import create
from twinstream.job.distribution import FLINK
from twinstream.local.jars import java_binary
from twinstream.log.topics import source_topic

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS, COUNT = 40, 2_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: building leaves things beside the sources."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "twinstream", copy / "twinstream", ignore=shutil.ignore_patterns("__pycache__"))
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built), str(copy)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (found,) = built.glob("twinstream-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment: the wheel with some of its extras, as the lock has them."""
    folder = tmp_path_factory.mktemp("environment")
    pins = folder / "pins.txt"
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins.write_text("\n".join(line.rstrip("\\ ") for line in lines if "==" in line))
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = ["--quiet", "--python", str(python), "--constraint", str(pins), f"{wheel}[flink,offline,test]"]
    subprocess.run([uv, "pip", "install", *install], check=True)
    return python.parent


DEFINITIONS = {"logins": LOGINS, "features": (ROOT / "examples" / "sign-ins" / "shop" / "features.py").read_text()}
"""A file of a few lines, and the example's, which defines more of the same group."""


class Project:
    """A folder with one file of definitions, and what is typed in it."""

    def __init__(self, folder: Path, name: str, programs: Path, broker: LocalKafka, redis: LocalRedis) -> None:
        self.folder = folder
        self.definitions = f"shop/{name}.py"
        self.loop, self.job = (
            {"OUTPUT_PREFIX": f"{name}.{run}.", "CONSUMER_GROUP": f"{name}-{run}", "REDIS_DB": database}
            for run, database in (("loop", "0"), ("job", "1"))
        )
        (folder / "shop").mkdir()
        (folder / self.definitions).write_text(DEFINITIONS[name])
        (folder / ".run").mkdir()
        (folder / ".run" / "jars").symlink_to(FLINK.fetch().parent)
        self.programs = programs
        self.settings = {
            "KAFKA_SERVERS": broker.servers,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis.port),
            "METRICS_PORT": "0",
            "CHECKPOINT_INTERVAL_MS": "1000",
            "COLUMNS": "80",
            "FEATURES": self.definitions,
            "PATH": f"{programs}:{Path(java_binary('Flink')).parent}:/usr/bin:/bin",
            "TMPDIR": str(folder),
        }

    def type(self, *words: str, code: int = 0, **settings: str) -> str:
        """Type the command; returns what it printed."""
        done = self._run([str(self.programs / "twinstream"), *words], self.settings | settings)
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def run_job(self, *words: str, **settings: str) -> None:
        """The same file as a Flink job."""
        ports = {"FLINK_UI_PORT": str(free_port()), "METRICS_PORT": str(free_port())}
        said = self.type("flink", "run", "--until-caught-up", *words, **ports, **settings)
        assert "env SAVEPOINT=" in said

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=400, check=False
        )


@pytest.fixture(scope="module")
def sign_ins(kafka_broker: LocalKafka) -> LocalKafka:
    """A broker with sign-ins, some of them late, twice or unreadable."""
    create(kafka_broker.servers, [source_topic("logins", 2)])
    random, start_ms = Random(7), int(datetime.now(UTC).timestamp() * 1_000) - COUNT * 500
    producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
    for number in range(COUNT):
        account = f"a{random.randrange(ACCOUNTS)}"
        late_ms = 100_000 if number % 100 == 99 else random.randrange(3) * 5_000
        login = {"login_id": f"l{number}", "at": start_ms + number * 500 - late_ms, "account_id": account}
        login |= {"success": random.random() < 0.7, "ip": f"10.0.0.{random.randrange(9)}"}
        value = b"{" if number % 250 == 3 else msgspec.json.encode(login)
        for _ in range(1 + (number % 300 == 7)):
            producer.send("logins", value, account.encode())
    producer.flush()
    producer.close()
    return kafka_broker


@pytest.fixture(params=DEFINITIONS)
def project(
    request: pytest.FixtureRequest, installed: Path, sign_ins: LocalKafka, redis_server: LocalRedis, tmp_path: Path
) -> Iterator[Project]:
    """A folder with definitions, and an empty Redis."""
    with redis_server.client() as client:
        client.flushall()
    yield Project(tmp_path, request.param, installed, sign_ins, redis_server)
    with redis_server.client() as client:
        client.flushall()


def tree(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in (".py", ".lua"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_the_wheel_has_the_engine_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"twinstream"}
    assert {"twinstream/py.typed", "twinstream/online/redis/lua/write.lua", "twinstream/cli.py"} <= set(names)


def test_without_definitions_one_line_says_what_to_name(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(installed / "twinstream"), "check"], cwd=tmp_path, capture_output=True, text=True, env={}, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no module features. FEATURES or --features names the modules")
    assert done.stderr.count("\n") == 1


def test_the_definitions_are_of_a_few_lines() -> None:
    assert len([line for line in LOGINS.splitlines() if line.strip()]) <= 40


def test_loop_job_backfill_and_training_set_agree_over_one_file(project: Project) -> None:
    engine = project.programs.parent / "lib" / "python3.11" / "site-packages" / "twinstream"
    before = tree(engine), tree(ROOT / "twinstream")
    assert "logins" in project.type("check")

    loop, job = project.loop, project.job
    project.type("run", "--until-caught-up", **loop)
    project.run_job("--features", project.definitions, **job)
    prefixes = "--left", loop["OUTPUT_PREFIX"], "--right", job["OUTPUT_PREFIX"]
    project.type("parity", *prefixes, "--right-redis-db", "1")
    project.type("parity", "--rederive", **loop)
    reading = msgspec.json.decode(project.type("get", "login", "a1", "--json", **loop))
    assert reading["features"]["login_count"] >= 0
    stats = msgspec.json.decode(project.type("dead-letters", "stats", "--json", **loop))
    assert "late" in str(stats)
    assert "malformed" in str(stats)

    project.type("export", "--out", "live", **loop)
    project.type("backfill", "--in", "logins", "--out", "history")
    live, history = (
        pl.read_parquet(project.folder / name / "**" / "*.parquet").sort("partition", "offset")
        for name in ("live", "history")
    )
    assert live.height > 1_900
    assert live.equals(history)

    labels = history.select("entity", pl.col("event_time").alias("timestamp")).rename({"entity": "account_id"})
    labels.write_parquet(project.folder / "labels.parquet")
    project.type(
        "training-set",
        "--labels",
        "labels.parquet",
        "--features",
        "history",
        "--out",
        "train.parquet",
        "--as-known-now",
    )
    train = pl.read_parquet(project.folder / "train.parquet")
    assert train["login__login_count"].null_count() == 0
    assert (tree(engine), tree(ROOT / "twinstream")) == before


def test_what_init_writes_is_the_example(installed: Path, tmp_path: Path) -> None:
    subprocess.run([str(installed / "twinstream"), "init", "shop"], cwd=tmp_path, check=True, capture_output=True)
    written = {str(file.relative_to(tmp_path / "shop")): file.read_bytes() for file in files_of(tmp_path / "shop")}
    example = ROOT / "examples" / "sign-ins"
    assert written == {str(file.relative_to(example)): file.read_bytes() for file in files_of(example)}
    again = subprocess.run(
        [str(installed / "twinstream"), "init", "shop"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "shop is there already" in again.stderr


def files_of(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and "cache" not in str(file.relative_to(folder))]


def test_the_example_is_green_at_once(installed: Path, tmp_path: Path) -> None:
    """Its own test on the wheel, and its entry point, by which the command finds its definitions without being told."""
    folder = tmp_path / "sign-ins"
    shutil.copytree(ROOT / "examples" / "sign-ins", folder, ignore=shutil.ignore_patterns("*cache*"))
    environment = {"PATH": f"{installed}:/usr/bin:/bin", "COLUMNS": "80"}
    tests = [str(installed / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    green = subprocess.run(tests, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert green.returncode == 0, green.stdout + green.stderr
    assert "3 passed" in green.stdout
    described = folder / "shop-0.1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 0.1.0\n")
    (described / "entry_points.txt").write_text("[twinstream.features]\nshop = shop.features\n")
    check = [str(installed / "twinstream"), "check"]
    found = subprocess.run(
        check, cwd=tmp_path, env=environment | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "login   logins   account_id   Login" in found.stdout
