"""Dead letters of every reason, from a real run: listed, shown, counted, and re-driven where that can be, once."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka import TopicPartition as ClientPartition
from rich.console import Console
from typer.testing import CliRunner, Result

from producers.records import Message
from producers.seeding.seeder import Seeded
from tests.loop.injected import Injection
from tests.loop.lab import Lab, Run
from twinstream.cli import app
from twinstream.core.dead_letters import DeadLetter
from twinstream.core.rejection import REASONS
from twinstream.errors import UserError
from twinstream.letters.selection import Notes
from twinstream.letters.tables import letter_table
from twinstream.letters.transform import Transform
from twinstream.log.kafka import LogError
from twinstream.log.kafka.sender import Sender

NOW_MS = time.time_ns() // 1_000_000
REPAIR = '''
import json

def transform(record, letter):
    """Whatever is wrong with it."""
    if isinstance(record, bytes):
        record = json.loads(record + b"}")
    record["currency"] = record["currency"].upper()
    record["event_time"] = min(record["event_time"], {now})
    record.pop("padding", None)
    return record
'''


def payment(card: str, number: int, **changed: Any) -> bytes:
    record = {"transaction_id": f"{card}-{number}", "event_time": NOW_MS, "card_id": card, "amount": 10}
    return json.dumps(record | {"currency": "EUR"} | changed).encode()


BAD = {
    "oversized": payment("oversized", 1, padding="x" * 20_000),
    "malformed": payment("malformed", 1)[:-1],
    "schema": payment("schema", 1, currency="eur"),
    "future": payment("future", 1, event_time=NOW_MS + 3_600_000),
    "late": payment("late", 1, event_time=NOW_MS - 60_000),
    "duplicate": payment("duplicate", 0),
    "internal": payment("internal", 1, amount=10.13),
}
"""A record of a card of its own for each reason. The run fails on amounts of 13 cents."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """With a good payment and a bad one of every card in the source topic."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        lab.create_sources()
        for value_of in (lambda reason: payment(reason, 0), BAD.__getitem__):
            lab.send(Seeded("transactions", Message(key=reason, value=value_of(reason)), None) for reason in BAD)
        yield lab


@pytest.fixture(scope="module")
def run(lab: Lab) -> Iterator[Run]:
    """A run that has set the bad ones aside."""
    with lab.run(max_record_bytes=16_384) as run:
        worker = run.start("--until-caught-up", inject=Injection(failing_feature="txn_count"))
        assert worker.wait() == 0, worker.said()
        yield run


@pytest.fixture
def dead_letters(lab: Lab, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, on the run's dead letters."""
    environment = {
        "KAFKA_SERVERS": lab.broker.servers,
        "OUTPUT_PREFIX": f"{run.group}.",
        "CONSUMER_GROUP": run.group,
        "MAX_RECORD_BYTES": "16384",
        "ALLOWED_LATENESS_SECONDS": "10",
        "COLUMNS": "200",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, ["dead-letters", *arguments])


@pytest.fixture
def repair(tmp_path: Path) -> str:
    """A script that repairs all that can be repaired."""
    script = tmp_path / "repair.py"
    script.write_text(REPAIR.replace("{now}", str(NOW_MS)))
    return str(script)


def listed(dead_letters: Callable[..., Result], *arguments: str) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = json.loads(dead_letters("list", "--json", *arguments).stdout)
    return letters


def outcomes(result: Result) -> dict[str, str]:
    """By reason, what became of it."""
    assert result.exit_code == 0, result.output
    return {each["reason"]: each["outcome"] for each in json.loads(result.stdout)["outcomes"]}


def test_every_reason_is_listed_and_can_be_chosen(dead_letters: Callable[..., Result]) -> None:
    assert {letter["reason"] for letter in listed(dead_letters)} == set(REASONS)
    table = dead_letters("list").stdout
    assert all(reason in table for reason in REASONS)
    assert [letter["reason"] for letter in listed(dead_letters, "--reason", "late")] == ["late"]
    assert len(listed(dead_letters, "--limit", "3")) == 3
    assert listed(dead_letters, "--topic", "orders") == []
    assert listed(dead_letters, "--since", str(NOW_MS + 86_400_000)) == []
    assert len(listed(dead_letters, "--since", "1d")) == len(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_each_is_shown_with_its_record(dead_letters: Callable[..., Result], reason: str) -> None:
    (letter,) = listed(dead_letters, "--reason", reason)
    shown = dead_letters("show", f"transactions-{letter['partition']}@{letter['offset']}")
    assert shown.exit_code == 0
    assert all(part in shown.stdout for part in (reason, "watermark", "transaction_id", f"{reason}-"))


def test_what_is_not_there_is_one_line(dead_letters: Callable[..., Result]) -> None:
    for arguments, message in (
        (["show", "transactions-0@9999"], "has no dead letter"),
        (["show", "yesterday's"], "is no place of a record"),
        (["show", "transactions-0@²"], "is no place of a record"),
        (["list", "--reason", "bad"], "There is no reason 'bad'. Choose from oversized"),
        (["list", "--topic", "bad"], "There is no source topic 'bad'"),
        (["list", "--since", "yesterday"], "is no time"),
        (["replay", "--transform", "nowhere.py"], "There is no script nowhere.py"),
    ):
        failure = dead_letters(*arguments).exception
        assert isinstance(failure, UserError)
        assert message in str(failure)


def test_they_are_counted_by_reason_and_time(dead_letters: Callable[..., Result]) -> None:
    rows = json.loads(dead_letters("stats", "--json").stdout)
    assert [(row["reason"], row["records"]) for row in rows] == [(reason, 1) for reason in REASONS]
    assert "7 dead letters" in dead_letters("stats").stdout


def test_a_dry_run_tells_and_sends_nothing(lab: Lab, dead_letters: Callable[..., Result]) -> None:
    before = lab.ends()
    told = outcomes(dead_letters("replay", "--dry-run", "--json"))
    assert told == dict.fromkeys(REASONS, "still refused") | {
        "late": "too late",
        "duplicate": "duplicate",
        "internal": "re-driven",
    }
    assert lab.ends() == before
    assert "backfill --include-dead-letters" in dead_letters("replay", "--dry-run").stdout


def test_a_crash_before_the_commit_leaves_neither_record_nor_note(
    lab: Lab, dead_letters: Callable[..., Result], repair: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Sender) -> None:
        raise LogError("The broker is gone.")

    before = sum(len(records) for records in lab.sources().values())
    with monkeypatch.context() as patched:
        patched.setattr(Sender, "commit", fail)
        result = dead_letters("replay", "--reason", "future", "--transform", repair)
    assert "nothing is sent twice" in str(result.exception)
    assert sum(len(records) for records in lab.sources().values()) == before
    assert outcomes(dead_letters("replay", "--dry-run", "--json", "--reason", "future", "--transform", repair)) == {
        "future": "re-driven"
    }


def test_what_can_be_repaired_is_re_driven_once(
    lab: Lab, run: Run, dead_letters: Callable[..., Result], repair: str
) -> None:
    first = dead_letters("replay", "--transform", repair, "--json")
    repaired = set(REASONS) - {"late", "duplicate"}
    assert outcomes(first) == dict.fromkeys(repaired, "re-driven") | {"late": "too late", "duplicate": "duplicate"}
    assert {each["entity"] for each in json.loads(first.stdout)["entities"]} == repaired
    after = {topic: len(records) for topic, records in lab.sources().items()}
    assert after["transactions"] == 2 * len(BAD) + len(repaired)

    second = outcomes(dead_letters("replay", "--transform", repair, "--json"))
    assert second == dict.fromkeys(repaired, "re-driven before") | {"late": "too late", "duplicate": "duplicate"}
    assert {topic: len(records) for topic, records in lab.sources().items()} == after

    run.finish(max_record_bytes=16_384)
    for reason in BAD:
        count = run.redis.hget(f"features:transaction:{reason}", "txn_count")
        assert count == (b"2" if reason in repaired else b"1"), reason
    assert "↻" in dead_letters("list").stdout
    assert len(listed(dead_letters)) == len(REASONS)


def test_a_re_driven_record_says_where_it_comes_from(lab: Lab, dead_letters: Callable[..., Result]) -> None:
    (letter,) = listed(dead_letters, "--reason", "schema")
    headers = [dict(record.headers) for record in every_record(lab.broker.servers, "transactions") if record.headers]
    assert len(headers) == len(REASONS) - 2
    (found,) = (each for each in headers if each["twinstream.redriven.reason"] == b"schema")
    assert found["twinstream.redriven.from"].decode() == f"transactions-{letter['partition']}@{letter['offset']}"
    assert found["twinstream.redriven.transform"].startswith(b"repair.py ")


def test_a_record_that_comes_back_is_not_sent_in_circles(
    lab: Lab, run: Run, dead_letters: Callable[..., Result], tmp_path: Path
) -> None:
    assert outcomes(dead_letters("replay", "--even-late", "--json", "--reason", "late")) == {"late": "re-driven"}
    run.finish(max_record_bytes=16_384)
    assert len(listed(dead_letters, "--reason", "late")) == 2
    told = dead_letters("replay", "--even-late", "--json", "--reason", "late")
    counts = {each["outcome"]: each["records"] for each in json.loads(told.stdout)["outcomes"]}
    assert counts == {"re-driven before": 1, "came back": 1}
    leave = tmp_path / "leave.py"
    leave.write_text("def transform(record, letter): return None")
    told = dead_letters("replay", "--again", "--json", "--reason", "late", "--transform", str(leave))
    counts = {each["outcome"]: each["records"] for each in json.loads(told.stdout)["outcomes"]}
    assert counts == {"re-driven before": 1, "left by the script": 1}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("def transform(record, letter): return record['nothing']", "The script failed on transactions-.*KeyError"),
        ("x = 1", "has no function transform"),
        ("def", "does not run: SyntaxError"),
    ],
)
def test_a_script_that_fails_is_one_line(
    dead_letters: Callable[..., Result], tmp_path: Path, script: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text(script)
    result = dead_letters("replay", "--again", "--reason", "duplicate", "--transform", str(tmp_path / "broken.py"))
    with pytest.raises(UserError, match=message):
        raise result.exception or AssertionError


UNCHANGED = "def transform(record, letter): return record"


@pytest.mark.parametrize(
    "value",
    [b'{"card_id": "\xff"}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5_000, b"", None],
    ids=["no UTF-8", "bytes", "deep array", "deep object", "empty", "null"],
)
def test_a_script_may_get_any_bytes(value: bytes | None, tmp_path: Path) -> None:
    (tmp_path / "unchanged.py").write_text(UNCHANGED)
    letter = letter_of(value)
    assert Transform(tmp_path / "unchanged.py")(letter) == (value or b"")
    assert Console(file=io.StringIO()).print(letter_table(letter, Notes(set(), set()))) is None


def letter_of(value: bytes | None) -> DeadLetter:
    return DeadLetter(
        reason="malformed",
        detail="",
        topic="transactions",
        partition=0,
        offset=0,
        timestamp=2**62,
        watermark=None,
        lateness_ms=None,
        key=None,
        value=value,
    )


@pytest.mark.parametrize("body", ["return record['nothing']", "raise SystemExit(3)"])
def test_a_command_that_fails_while_it_reads_ends(lab: Lab, run: Run, tmp_path: Path, body: str) -> None:
    """Its consumer must not be left to the end of the interpreter, where closing it takes for ever."""
    (tmp_path / "broken.py").write_text(f"def transform(record, letter): {body}")
    environment = {"KAFKA_SERVERS": lab.broker.servers, "OUTPUT_PREFIX": f"{run.group}.", "CONSUMER_GROUP": run.group}
    command = ["-m", "store", "dead-letters", "replay", "--dry-run", "--transform", str(tmp_path / "broken.py")]
    ended = subprocess.run(
        [sys.executable, *command], env=os.environ | environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr


def every_record(servers: str, topic: str) -> list[Any]:
    """The records of a topic as the client has them, headers and all."""
    consumer = KafkaConsumer(bootstrap_servers=servers, isolation_level="read_committed")
    try:
        partitions = [ClientPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(1_000).values():
                found += records
        return found
    finally:
        consumer.close()
