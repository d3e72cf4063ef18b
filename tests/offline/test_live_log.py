"""From the log to a training set, on a real Kafka: what the loop wrote is exported, replayed and re-derived alike.

The loop is killed once on its way, so that its log is what a crash leaves.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import SETTINGS
from tests.offline.logs import EVERY_GROUP, encoded, to_records
from tests.reference import GROUPS
from twinstream.cli import app
from twinstream.errors import UserError
from twinstream.log.kafka import read_topic
from twinstream.log.topics import feature_log_topic
from twinstream.loop.commit import Step
from twinstream.offline import export as module
from twinstream.offline.dataset import Dataset
from twinstream.offline.export import export
from twinstream.settings import Settings

Command = Callable[..., Result]
TRANSACTION = GROUPS["transaction"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that was killed between Kafka and Redis, and has caught up since."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab, lab.run() as run:
        lab.create_sources()
        lab.send(mixed_messages(2_000))
        run.start(inject=Injection(signal.SIGKILL, Step.TRANSACTION_COMMITTED, times=5)).until_killed()
        run.finish()
        yield run


@pytest.fixture(scope="module")
def settings(run: Run) -> Settings:
    """The run's."""
    where = {"kafka_servers": run.lab.broker.servers, "output_prefix": f"{run.group}.", "consumer_group": run.group}
    return Settings(**(SETTINGS | where))


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, with the run's settings."""
    for name in (*SETTINGS, "kafka_servers", "output_prefix", "consumer_group"):
        monkeypatch.setenv(name.upper(), str(getattr(settings, name)))
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def logs(settings: Settings) -> dict[str, list[bytes]]:
    """The run's feature logs by group, partition by partition."""
    found = {}
    for group in GROUPS:
        records = read_topic(settings, feature_log_topic(group, settings.output_prefix).name)
        found[group] = [
            record.value or b"" for record in sorted(records, key=lambda each: (each.partition, each.offset))
        ]
    return found


def held(root: Path, group: str) -> list[bytes]:
    """What a dataset holds, as a feature log would."""
    frame = Dataset(root, GROUPS[group]).scan().sort("partition", "offset").collect()
    return encoded(list(to_records(GROUPS[group], frame)))


def test_an_export_is_the_log_and_a_second_one_adds_nothing(
    command: Command, logs: dict[str, list[bytes]], tmp_path: Path
) -> None:
    assert command("export", "--out", tmp_path).exit_code == 0
    for group, log in logs.items():
        assert len(log) > 100
        assert held(tmp_path, group) == log
    parts = sorted(tmp_path.rglob("*.parquet"))
    again = command("export", "--out", tmp_path)
    assert again.exit_code == 0
    assert sorted(tmp_path.rglob("*.parquet")) == parts


def kill_at_rename(times: int, after: bool) -> None:
    """Let the process kill itself when it renames a part so many times, before or after doing it."""
    rename, left = Path.rename, times

    def fatal(path: Path, target: Any) -> Path:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        renamed = rename(path, target)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return renamed

    Path.rename = fatal  # type: ignore[method-assign, assignment]


def export_and_die(settings: Settings, out: Path, times: int, after: bool) -> None:
    """Export in small parts until killed."""
    kill_at_rename(times, after)
    module.PART_RECORDS = 40
    export(settings, TRANSACTION, out)


def test_an_export_killed_again_and_again_has_every_record_once(
    settings: Settings, logs: dict[str, list[bytes]], tmp_path: Path
) -> None:
    parts = 0
    for times, after in ((1, False), (2, False), (3, True), (1, True)):
        process = get_context("forkserver").Process(target=export_and_die, args=(settings, tmp_path, times, after))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        parts += times - (not after)
        assert len(list(tmp_path.rglob("*.parquet"))) == parts
    left = export(settings, TRANSACTION, tmp_path)
    assert 0 < left < len(logs["transaction"])
    assert held(tmp_path, "transaction") == logs["transaction"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_export_does_not_mix_two_logs(settings: Settings, tmp_path: Path) -> None:
    export(settings, TRANSACTION, tmp_path)
    note = Dataset(tmp_path, TRANSACTION).directory / "_origin"
    note.write_text("topic features.transaction of another id")
    with pytest.raises(UserError, match="Choose another folder"):
        export(settings, TRANSACTION, tmp_path)
    with pytest.raises(UserError, match="Kafka has no topic"):
        export(settings.model_copy(update={"output_prefix": "nobody."}), TRANSACTION, tmp_path / "other")


@pytest.mark.parametrize("group", EVERY_GROUP, ids=lambda group: group.name)
def test_a_backfill_from_the_topic_is_the_live_log_byte_for_byte(
    command: Command, logs: dict[str, list[bytes]], tmp_path: Path, group: Any
) -> None:
    result = command("backfill", "--in", group.topic, "--out", tmp_path, "--cores", "2")
    assert result.exit_code == 0, result.output
    assert "late" in result.stdout
    assert held(tmp_path, group.name) == logs[group.name]


def test_with_dead_letters_a_backfill_contains_what_came_late(
    command: Command, logs: dict[str, list[bytes]], tmp_path: Path
) -> None:
    result = command("backfill", "--in", "transactions", "--out", tmp_path, "--include-dead-letters")
    assert result.exit_code == 0, result.output
    then = {(row["partition"], row["offset"]) for row in map(json.loads, logs["transaction"])}
    now = Dataset(tmp_path, TRANSACTION).scan().collect()
    assert now.height > len(logs["transaction"])
    assert set(now.select("partition", "offset").iter_rows()) > then


def test_parity_finds_every_group_the_same(command: Command, logs: dict[str, list[bytes]]) -> None:
    result = command("parity", "--rederive", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert len(rows) == 2 * len(GROUPS)
    for name, row in rows.items():
        assert (row["missing"], row["extra"], row["different"]) == (0, 0, 0), name
        assert row["compared"] > 0
    assert all(rows[f"features.{group}"]["compared"] == len(log) for group, log in logs.items())


def test_parity_fails_after_a_setting_was_changed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOW_SIZE_MINUTES", "2")
    result = command("parity", "--rederive", "--group", "transaction", "--share", "0.5")
    assert result.exit_code == 1
    assert "txn_per_minute" in result.stdout


def test_parity_has_nothing_to_say_of_a_run_that_wrote_nothing(command: Command, run: Run) -> None:
    with run.lab.run() as idle:
        result = command("parity", "--rederive", "--output-prefix", f"{idle.group}.")
    with pytest.raises(UserError, match="has written nothing that could be compared"):
        raise result.exception or AssertionError


def test_a_training_set_is_made_of_what_was_exported(command: Command, tmp_path: Path) -> None:
    command("export", "--out", tmp_path, "--group", "transaction")
    vectors = Dataset(tmp_path, TRANSACTION).scan().collect()
    newest = vectors.sort("timestamp").tail(50)
    labels = newest.select(pl.col("entity").alias("card_id"), pl.col("timestamp"), pl.lit(True).alias("fraud"))
    labels.write_parquet(tmp_path / "labels.parquet")
    out = tmp_path / "train.parquet"
    result = command("training-set", "--labels", tmp_path / "labels.parquet", "--features", tmp_path, "--out", out)
    assert result.exit_code == 0, result.output
    made = pl.read_parquet(out)
    assert made.height == 50
    assert made.filter(pl.col("transaction__timestamp") > pl.col("timestamp")).is_empty()
    assert made["transaction__txn_count"].null_count() < 50
