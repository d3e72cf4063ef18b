"""Dead letters and parity of a topic that three groups read, one of which came later, on a real Kafka."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from producers.records import Message
from producers.seeding.seeder import Seeded
from tests.loop.lab import Lab, Run
from tests.loop.outputs import SETTINGS
from tests.offline.logs import encoded, to_records
from tests.reference import TOGETHER
from twinstream.cli import app
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.log.kafka import read_topic
from twinstream.offline.dataset import Dataset

Command = Callable[..., Result]
NOW_MS = time.time_ns() // 1_000_000
AT_FIRST = TOGETHER.rpartition(",")[0]
SHARING = load_registry(TOGETHER)
REPAIR = """
import json

def transform(record, letter):
    if isinstance(record, bytes):
        record = json.loads(record + b"}")
    return record | {"currency": "USD"}
"""


def payment(card: str, currency: str) -> bytes:
    record = {"transaction_id": f"{card}-1", "event_time": NOW_MS, "card_id": card, "amount": 10, "currency": currency}
    return json.dumps(record).encode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run over a payment in euros, which one group refuses, one in dollars, and one that no group can read."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab, lab.run(features=TOGETHER) as run:
        lab.create_sources_of(1)
        values = {
            "euros": payment("euros", "EUR"),
            "cut": payment("cut", "USD")[:-1],
            "dollars": payment("dollars", "USD"),
        }
        lab.send(Seeded("transactions", Message(key=key, value=value), None) for key, value in values.items())
        run.finish(features=AT_FIRST)
        run.finish()
        yield run


@pytest.fixture
def command(run: Run, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command, with the run's settings."""
    where = {
        "features": TOGETHER,
        "kafka_servers": run.lab.broker.servers,
        "output_prefix": f"{run.group}.",
        "consumer_group": run.group,
    }
    for name, value in (SETTINGS | where).items():
        monkeypatch.setenv(name.upper(), str(value))
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "200"})


def letters(command: Command) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command("dead-letters", "list", "--json").stdout)
    return found


def outcomes(result: Result) -> Counter[tuple[str, str]]:
    """By reason and outcome, how many letters."""
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["outcomes"]
    return Counter({(row["reason"], row["outcome"]): row["records"] for row in rows})


@pytest.fixture
def repair(tmp_path: Path) -> Path:
    """A script after which every group takes every record."""
    (tmp_path / "repair.py").write_text(REPAIR)
    return tmp_path / "repair.py"


def test_a_record_has_a_letter_for_each_verdict(command: Command) -> None:
    """The groups that decode alike share one; the one that came later stood at another watermark."""
    found = Counter((letter["offset"], letter["reason"]) for letter in letters(command))
    assert found == {(0, "schema"): 1, (1, "malformed"): 2}


def test_all_letters_of_a_record_are_shown(command: Command) -> None:
    assert command("dead-letters", "show", "transactions-0@1").stdout.count("malformed") == 2
    assert command("dead-letters", "show", "transactions-0@0").stdout.count("not in US dollars") == 1


def test_the_run_equals_its_source_replayed_though_one_group_came_later(command: Command) -> None:
    result = command("parity", "--rederive", "--json")
    assert result.exit_code == 0, result.output
    compared = {row["name"]: row["compared"] for row in json.loads(result.stdout)}
    assert compared == {
        "features.transaction": 2,
        "features.spending": 2,
        "features.domestic": 1,
        "transactions.dlq": 3,
    }


def test_a_repaired_record_is_re_driven_once_and_each_group_has_it_once(
    run: Run, command: Command, repair: Path
) -> None:
    first = command("dead-letters", "replay", "--transform", repair, "--json")
    assert outcomes(first) == {
        ("schema", "re-driven"): 1,
        ("malformed", "re-driven"): 1,
        ("malformed", "re-driven before"): 1,
    }
    changed = {(each["group"], each["entity"]) for each in json.loads(first.stdout)["entities"]}
    assert changed == {("domestic", "euros"), *((name, "cut") for name in SHARING.names)}
    assert len(run.lab.sources()["transactions"]) == 5

    run.finish()
    for group in SHARING.names:
        for card in ("euros", "cut", "dollars"):
            assert run.redis.hget(f"features:{group}:{card}", "txn_count") == b"1", (group, card)


def test_the_groups_that_had_a_re_driven_record_refuse_it_as_a_duplicate_and_that_is_all(command: Command) -> None:
    (letter,) = (each for each in letters(command) if each["offset"] > 2)
    assert letter["reason"] == "duplicate"
    again = outcomes(command("dead-letters", "replay", "--json"))
    assert again == {
        ("schema", "re-driven before"): 1,
        ("malformed", "re-driven before"): 2,
        ("duplicate", "duplicate"): 1,
    }


def test_a_backfill_of_a_shared_topic_asks_which_group_and_then_equals_its_log(
    run: Run, command: Command, tmp_path: Path
) -> None:
    undecided = command("backfill", "--in", "transactions", "--out", tmp_path)
    with pytest.raises(UserError, match="Several groups read transactions: transaction, spending, domestic. Say with"):
        raise undecided.exception or AssertionError
    for group in SHARING:
        done = command("backfill", "--in", "transactions", "--out", tmp_path, "--group", group.name, "--cores", "1")
        assert done.exit_code == 0, done.output
        frame = Dataset(tmp_path, group).scan().sort("partition", "offset").collect()
        log = read_topic(run.lab.broker.servers, f"{run.group}.features.{group.name}")
        assert encoded(list(to_records(group, frame))) == [record.value for record in log]


def test_a_run_whose_group_came_later_equals_one_that_had_all_from_the_beginning(run: Run, command: Command) -> None:
    with run.lab.run(features=TOGETHER) as other:
        other.finish()
        result = command("parity", "--left", f"{run.group}.", "--right", f"{other.group}.", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row["compared"] for row in json.loads(result.stdout)}
    assert rows == {
        "features.transaction": 3,
        "features.spending": 3,
        "features.domestic": 3,
        "transactions.dlq": 4,
    }
