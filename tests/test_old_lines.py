"""Lines that readers of the older descriptions type: those that still answer, and the README's table for the others."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deploy.local import LocalKafka
from deploy.local.aws import LocalAws
from producers.account import TransactionKafkaProducer
from producers.cli import app
from producers.orders import TransactionProducer
from tests.producers.conftest import aws_server
from twinstream.log.kafka import read_topic

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

__all__ = ["aws_server"]

TYPED = [
    "python scripts/setup_localstack.py",
    "python scripts/profile_parquet.py FILE…",
    "./scripts/run_transaction_producer.sh",
    "flink/utils/watermarks.py",
    "pytest tests/unit/test_simulator.py",
    "test_row_count",
    "test_schema_match",
    "test_class_balance",
    "pytest tests/test_transaction_producer.py",
    "pip install -r requirements.txt",
    "python -m producer.main [--num-transactions N] [--batch-size N] [--use-aws] [--stream-name S]",
    "python src/fraud_detection/simulator/generate.py --rows N --out DIR",
    "from fraud_detection.simulator.generate import generate_dataset",
    "python generate_transactions.py",
    "from src.producer.kafka_producer import TransactionKafkaProducer, send_batch_to_kafka, stream_to_kafka",
    "python -m src.data_ingestion.producers.producer_cli [--log-level L] transaction --topic T --rate R --duration D "
    "--bootstrap-servers S",
    "from src.data_ingestion.producers.transaction_producer import TransactionProducer",
    "….base_producer import BaseProducer",
    "from src.data_ingestion.monitoring import monitor",
    "mypy producer/",
    "pytest --cov=producer",
    "black",
    "isort",
    "flake8",
]


@pytest.mark.parametrize("line", TYPED)
def test_readme_lists_what_was_typed_on_the_left(line: str) -> None:
    table = README.split("## Where did my command go")[1].split("\n## ")[0]
    left = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| ")]
    assert any(f"`{line}`" in cell for cell in left)


def answer(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KAFKA_"))}
    return subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_setup_localstack_creates_the_stream_and_names_the_present_command(
    aws_server: LocalAws, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    script, name = str(ROOT / "scripts" / "setup_localstack.py"), unique("stream")
    outcome = answer(sys.executable, script, "--stream-name", name, folder=tmp_path, AWS_ENDPOINT_URL=aws_server.url)
    assert outcome.stdout == f"Stream {name} created at {aws_server.url}.\n"
    assert outcome.stderr == "scripts/setup_localstack.py is now: python -m producers setup-kinesis\n"


def test_profile_parquet_names_the_present_command_and_passes_flags_on(tmp_path: Path) -> None:
    script = str(ROOT / "scripts" / "profile_parquet.py")
    outcome = answer(sys.executable, script, "--file", "outputs/none.parquet", folder=tmp_path)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("scripts/profile_parquet.py is now: python -m producers profile\n")
    assert outcome.stderr.count("is now") == 1
    assert "outputs/none.parquet is not there" in outcome.stderr


def test_profile_takes_several_files_after_one_option_as_a_shell_expands_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "payments_1M_a.parquet", tmp_path / "payments_1M_b.parquet"]
    profiled: list[Path] = []

    def write_profile(path: Path) -> Path:
        profiled.append(path)
        path.write_text("")
        return path

    monkeypatch.setattr("producers.profiling.write_profile", write_profile)
    outcome = CliRunner().invoke(app, ["profile", "--file", *map(str, files)])
    assert outcome.exit_code == 0
    assert profiled == files


def test_shell_script_names_the_present_command_and_passes_flags_on(tmp_path: Path) -> None:
    outcome = answer(str(ROOT / "scripts" / "run_transaction_producer.sh"), "--rate", "many", folder=tmp_path)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("scripts/run_transaction_producer.sh is now: python -m producers orders\n")
    assert "--rate" in outcome.stderr


def test_settings_of_kafkas_client_are_given_as_the_descriptions_write_them(
    kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("settings")
    config = {"acks": "all", "retries": 3, "batch_size": 16384, "linger_ms": 10, "compression_type": "snappy"}
    with TransactionProducer(bootstrap_servers=kafka_broker.servers, topic=topic, producer_config=config) as orders:
        assert orders.send_message(orders.generate_message())
    with TransactionKafkaProducer(
        bootstrap_servers=kafka_broker.servers,
        topic=topic,
        acks="all",
        retries=3,
        max_in_flight_requests_per_connection=1,
    ) as payments:
        assert payments.send_batch(count=5) == 5
    assert len(list(read_topic(kafka_broker.servers, topic))) == 6


def test_coverage_is_measured_by_the_line_that_the_readme_names(tmp_path: Path) -> None:
    simulator, report = "tests/unit/test_simulator.py::test_row_count", f"--cov-report=html:{tmp_path / 'htmlcov'}"
    outcome = answer(
        sys.executable, "-m", "pytest", "-v", simulator, "--cov=producers", report,
        folder=ROOT, COVERAGE_FILE=str(tmp_path / "coverage"),
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stdout
    assert (tmp_path / "htmlcov" / "index.html").exists()


def test_kafka_command_in_the_container_is_named_with_its_path() -> None:
    folder = "/opt/kafka/bin/"
    assert f"{folder}kafka-broker-api-versions.sh" in (ROOT / "docker-compose.yml").read_text()
    assert f"`docker exec -it stream-guard-kafka {folder}kafka-console-consumer.sh …`" in README


def test_public_ci_runs_what_ours_runs() -> None:
    workflow = ".github/workflows/ci.yml"
    steps = yaml.safe_load((ROOT / workflow).read_text())["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    outcome = answer(checker, "--builtin-schema", "vendor.github-workflows", workflow, folder=ROOT)
    assert outcome.returncode == 0, outcome.stdout
