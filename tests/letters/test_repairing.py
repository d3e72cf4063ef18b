"""A repair script meets any record and does anything: each fault is told in one line, and the command ends."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from deploy.local import LocalKafka
from tests.reference import REGISTRY
from twinstream.cli import app
from twinstream.core.dead_letters import DeadLetter, encode_dead_letter
from twinstream.errors import UserError
from twinstream.letters.transform import Transform
from twinstream.log.topics import ensure_topics

DEADLINE_S = 240
NO_DATE_MS = 2**62
STRANGE = {
    "no UTF-8": b'{"card_id": "\xff"}',
    "nested too deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an object, nested too deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a number too large": b'{"amount": 1e999}',
    "half a character": b'{"card_id": "\\ud800"}',
    "no object": b"[1, 2]",
    "nothing": b"",
    "null": None,
}
UNCHANGED = "def transform(record, letter): return record"


def letter(offset: int, value: bytes | None) -> DeadLetter:
    return DeadLetter(
        reason="malformed",
        detail="",
        topic="transactions",
        partition=0,
        offset=offset,
        timestamp=NO_DATE_MS,
        watermark=None,
        lateness_ms=None,
        key=b"\xff",
        value=value,
    )


@pytest.fixture
def environment(kafka_broker: LocalKafka, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings of a run of its own, which has set the strange records aside; returns its prefix."""
    prefix = f"{unique('repairing')}."
    for name, value in {"KAFKA_SERVERS": kafka_broker.servers, "OUTPUT_PREFIX": prefix, "COLUMNS": "300"}.items():
        monkeypatch.setenv(name, value)
    ensure_topics(kafka_broker.servers, REGISTRY, prefix)
    send(prefix, *(encode_dead_letter(letter(offset, value)) for offset, value in enumerate(STRANGE.values())))
    return prefix


def send(prefix: str, *values: bytes) -> None:
    """Write into the topic of dead letters."""
    producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_SERVERS"])
    for value in values:
        producer.send(f"{prefix}transactions.dlq", value, partition=0).get(60)
    producer.close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a script."""

    def write(text: str) -> Path:
        path = tmp_path / "repair.py"
        path.write_text(text)
        return path

    return write


def dead_letters(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *map(str, arguments)])


def ended(*command: str) -> subprocess.CompletedProcess[str]:
    """A command's own process, after it has ended by itself."""
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=DEADLINE_S)


@pytest.mark.usefixtures("environment")
def test_whatever_a_record_contains_a_script_is_given_it_and_it_is_counted_with_a_reason(
    script: Callable[[str], Path],
) -> None:
    for arguments in (("--transform", script(UNCHANGED)), ()):
        told = dead_letters("replay", "--dry-run", "--json", "--topic", "transactions", *arguments)
        assert told.exit_code == 0, told.exception
        (row,) = json.loads(told.stdout)["outcomes"]
        assert (row["outcome"], row["records"]) == ("still refused", len(STRANGE))
    table = dead_letters("replay", "--dry-run", "--transform", script(UNCHANGED)).stdout
    assert "malformed: 'utf-8' codec can't decode" in table


@pytest.mark.usefixtures("environment")
def test_whatever_a_record_contains_it_is_listed_counted_and_shown() -> None:
    for arguments in (("list",), ("stats",), *(("show", f"transactions-0@{each}") for each in range(len(STRANGE)))):
        told = dead_letters(*arguments)
        assert told.exit_code == 0, (arguments, told.exception)


def test_what_is_no_dead_letter_is_named_and_the_command_ends(environment: str) -> None:
    send(environment, b"somebody else's \xff")
    failed = ended("-m", "store", "dead-letters", "list")
    assert failed.returncode == 2
    assert f"error: {environment}transactions.dlq-0@{len(STRANGE)} is no dead letter" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("flags", [("--dry-run",), ()])
@pytest.mark.parametrize("fault", ["raise KeyError('x')", "exit(0)"])
def test_a_replay_ends_when_its_script_fails_in_the_middle(
    script: Callable[[str], Path], flags: tuple[str, ...], fault: str
) -> None:
    path = script(f"def transform(record, letter):\n if letter.offset == 3: {fault}\n return record")
    failed = ended("-m", "twinstream", "dead-letters", "replay", "--transform", str(path), *flags)
    assert failed.returncode == 2
    assert "error: The script failed on transactions-0@3" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.usefixtures("environment")
def test_a_command_ends_even_when_the_fault_is_our_own() -> None:
    broken = (
        "import sys; from twinstream import cli; from twinstream.letters.verdicts import Judge; Judge.judge = None; "
        "sys.argv[1:] = ['dead-letters', 'replay', '--dry-run']; cli.main()"
    )
    failed = ended("-c", broken)
    assert failed.returncode == 1
    assert "'NoneType' object is not callable" in failed.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("raise KeyError('x' * 1_000_000)", "KeyError: 'xxx"),
        ("exit(0)", "SystemExit: 0"),
        ("return transform(record, letter)", "RecursionError"),
        ("return {'amount': float('nan')}", "ValueError: Out of range float"),
        ("return {'amount': {1}}", "has a set in it, which is no JSON"),
        ("return {'card_id': b'c'}", "has a bytes in it, which is no JSON"),
        ("record = {}; record['itself'] = record; return record", "ValueError: Circular reference"),
        ("record = {}\n for _ in range(100_000): record = {'in': record}\n return record", "RecursionError"),
        ("return {'card_id': '\\ud800'}", "UnicodeEncodeError"),
        ("return 'text'", "it returned str, where a dictionary, bytes or None was expected"),
        ("return [record]", "it returned list"),
    ],
)
def test_a_script_that_fails_or_returns_no_record_is_one_short_line(
    script: Callable[[str], Path], text: str, message: str
) -> None:
    repair = Transform(script(f"def transform(record, letter):\n {text}"))
    with pytest.raises(UserError) as told:
        repair(letter(7, b'{"card_id": "c"}'))
    assert "The script failed on transactions-0@7" in str(told.value)
    assert message in str(told.value)
    assert len(str(told.value)) < 600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def", "does not run: SyntaxError"),
        ("exit(0)", "does not run: SystemExit"),
        ("import nothing_of_the_kind", "does not run: ModuleNotFoundError"),
        ("x = 1", "has no function transform"),
        ("transform = 1", "has no function transform"),
        ("\0", "does not run"),
    ],
)
def test_a_script_that_cannot_be_loaded_is_one_line(script: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Transform(script(text))


def test_a_script_that_is_not_there_or_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder, not a script"):
        Transform(tmp_path)
    with pytest.raises(UserError, match="There is no script"):
        Transform(tmp_path / "nowhere.py")


def test_amounts_and_times_may_be_returned_as_python_has_them(script: Callable[[str], Path]) -> None:
    repair = Transform(
        script(
            "from decimal import Decimal\nfrom datetime import UTC, datetime\n"
            "def transform(record, letter): return record | "
            "{'amount': Decimal('10.10'), 'event_time': datetime(2026, 3, 1, tzinfo=UTC)}"
        )
    )
    repaired = repair(letter(0, '{"city": "São Paulo"}'.encode()))
    assert repaired == '{"city":"São Paulo","amount":"10.10","event_time":"2026-03-01T00:00:00+00:00"}'.encode()
