"""The commands as users type them, on a real broker: what they print, write and return."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from kafka import KafkaAdminClient
from typer.testing import CliRunner

from deploy.local import LocalKafka
from deploy.local.aws import LocalAws
from producers.cli import app
from producers.clock import ManualClock
from producers.commands.replay import messages, parse_speed, read_payments, replay
from producers.commands.stream import stream
from producers.kinesis import create_stream
from producers.parquet import generate_dataset
from producers.profiles import make_profile
from producers.records import parse_ms
from producers.sinks.memory import MemorySink
from tests.producers.conftest import ROOT, START_MS, Run
from tests.producers.test_kafka_sink import read_all
from tests.reference import BY_TOPIC, REGISTRY
from twinstream.errors import UserError
from twinstream.local.ports import free_port
from twinstream.log.topics import ensure_topics
from twinstream.settings import load_settings


def values(broker: LocalKafka, topic: str) -> list[bytes | None]:
    return [value for records in read_all(broker.servers, topic).values() for _, value in records]


def test_help_lists_every_command_with_an_example(run: Run) -> None:
    listing = run("--help").stdout
    commands = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert commands == {
        "seed", "orders", "accounts", "menu", "kinesis", "setup-kinesis", "parquet", "validate", "profile", "upload",
        "replay", "stream",
    }  # fmt: skip
    for command in commands:
        assert command in listing
        assert f"python -m producers {command}" in CliRunner().invoke(app, [command, "--help"]).output.replace(
            "--log-level DEBUG ", ""
        )


def test_seed_twice_injects_what_it_says_and_the_second_continues(run: Run, fresh_topics: LocalKafka) -> None:
    totals = {}
    for _ in range(2):
        outcome = run("seed", "--count", "400", "--json", "-", KAFKA_SERVERS=fresh_topics.servers)
        assert outcome.returncode == 0, outcome.stderr
        figures = json.loads(outcome.stdout)
        for topic, tally in figures["topics"].items():
            totals[topic] = totals.get(topic, 0) + tally["records"]
            assert all(tally["bad"].values())
    assert set(figures["continued_from"]) == {"transactions", "orders", "clickstream"}
    newest = figures["continued_from"]["orders"]
    assert parse_ms(figures["topics"]["orders"]["start"]) == parse_ms(newest) + 1
    for topic, records in totals.items():
        assert len(values(fresh_topics, topic)) == records


def test_same_seed_and_as_of_give_the_same_bytes_on_fresh_topics(run: Run, fresh_topics: LocalKafka) -> None:
    command = ("seed", "--count", "200", "--seed", "7", "--as-of", "2026-01-02T03:04:05Z", "--json", "-")
    first = run(*command, KAFKA_SERVERS=fresh_topics.servers)
    assert first.returncode == 0, first.stderr
    ahead = run(*command, KAFKA_SERVERS=fresh_topics.servers)
    assert ahead.returncode == 2
    assert ahead.stderr.splitlines()[-1].startswith(
        "error: The topic transactions is ahead: its newest event is of 2026"
    )
    assert ahead.stdout == ""
    sent = {topic: sorted(value or b"-" for value in values(fresh_topics, topic)) for topic in BY_TOPIC}
    admin = KafkaAdminClient(bootstrap_servers=fresh_topics.servers)
    admin.delete_topics(list(BY_TOPIC))
    admin.close()
    ensure_topics(fresh_topics.servers, REGISTRY)
    second = run(*command, KAFKA_SERVERS=fresh_topics.servers)
    assert second.returncode == 0, second.stderr
    assert sent == {topic: sorted(value or b"-" for value in values(fresh_topics, topic)) for topic in BY_TOPIC}
    digests = [
        {topic: tally["sha256"] for topic, tally in json.loads(outcome.stdout)["topics"].items()}
        for outcome in (first, second)
    ]
    assert digests[0] == digests[1]


def test_orders_run_for_their_duration_from_flags_or_environment(
    run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("orders")
    flags = ("--rate", "360000", "--duration", "1", "--topic", topic, "--bootstrap-servers", kafka_broker.servers)
    outcome = run("--log-level", "ERROR", "orders", *flags, "--json", "-")
    assert outcome.returncode == 0, outcome.stderr
    metrics = json.loads(outcome.stdout)
    assert metrics["messages_sent"] > 10
    assert metrics["messages_failed"] == 0
    environment = {"KAFKA_TOPIC": topic, "GENERATION_RATE": "360000", "DURATION": "1"}
    second = run("orders", KAFKA_BOOTSTRAP_SERVERS=kafka_broker.servers, **environment)
    assert second.returncode == 0, second.stderr
    assert "messages sent" in second.stdout
    assert len(values(kafka_broker, topic)) > metrics["messages_sent"]


def test_orders_say_that_hardly_any_are_due(run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    flags = (
        "--rate",
        "50",
        "--duration",
        "0.2",
        "--topic",
        unique("orders"),
        "--bootstrap-servers",
        kafka_broker.servers,
    )
    outcome = run("orders", *flags, "--json", "-")
    assert (outcome.returncode, json.loads(outcome.stdout)["messages_sent"]) == (0, 0)
    assert "Raise the rate or the duration" in outcome.stderr


def test_accounts_stream_until_their_count(run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    topic = unique("accounts")
    outcome = run("accounts", "--topic", topic, "--rate", "0", "--count", "30", KAFKA_SERVERS=kafka_broker.servers)
    assert outcome.returncode == 0, outcome.stderr
    assert len(values(kafka_broker, topic)) == 30


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_flushes_and_shows_the_summary(
    kafka_broker: LocalKafka, unique: Callable[[str], str], signal_number: int
) -> None:
    topic = unique("orders")
    process = subprocess.Popen(
        [sys.executable, "-m", "producers", "orders", "--topic", topic, "--rate", "720000", "--json", "-"],
        cwd=ROOT,
        env={"KAFKA_SERVERS": kafka_broker.servers, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if len(values(kafka_broker, topic)) > 20:
                break
        except Exception:
            time.sleep(0.2)
    process.send_signal(signal_number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert json.loads(output)["messages_sent"] == len(values(kafka_broker, topic))


def test_menu_sends_a_batch_a_stream_and_an_account_s_activity(
    run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("menu")
    answers = ["1", "12", "0.5", "2", "50", "0.2", "0.1", "3", "ACC-00000042", "3", "0.01", "n", "q"]
    outcome = run("menu", "--topic", topic, input="\n".join(answers) + "\n", KAFKA_SERVERS=kafka_broker.servers)
    assert outcome.returncode == 0, outcome.stderr
    assert f"12 sent to {topic}, 12 in all" in outcome.stdout
    sent = values(kafka_broker, topic)
    assert len(sent) > 15
    assert sum(b'"ACC-00000042"' in (value or b"") for value in sent) >= 3


def test_menu_ends_with_its_input(run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str]) -> None:
    assert run("menu", "--topic", unique("menu"), input="", KAFKA_SERVERS=kafka_broker.servers).returncode == 0


def test_missing_broker_is_one_line_within_five_seconds(run: Run) -> None:
    servers = f"localhost:{free_port()}"
    outcome = run("menu", KAFKA_SERVERS=servers)
    assert outcome.returncode == 2
    assert outcome.stderr == (
        f"error: Kafka does not answer at {servers}: nothing listens there (KAFKA_SERVERS, from the environment). "
        'Start it with "make up" or set KAFKA_SERVERS.\n'
    )


@pytest.mark.parametrize("command", [["seed"], ["orders"], ["accounts"], ["stream", "clicks"]])
def test_every_command_to_kafka_says_that_the_broker_is_missing(command: list[str]) -> None:
    outcome = CliRunner().invoke(app, [*command, "--bootstrap-servers", f"localhost:{free_port()}"])
    assert isinstance(outcome.exception, UserError)
    assert str(outcome.exception).startswith("Kafka does not answer at localhost:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stream", "cats"], "There is no profile 'cats'; expected one of transactions, accounts, orders, clicks."),
        (["stream", "clicks", "--sink", "moon"], "There is no sink 'moon'; expected one of kafka, kinesis, file"),
        (["stream", "clicks", "--sink", "file"], "The sink file needs --target: the path of a file."),
        (["stream", "clicks", "--sink", "s3", "--target", "bucket"], "--target is 'bucket'; expected bucket/key."),
        (["parquet", "--rows", "many"], "--rows is 'many'; expected a whole number above 0, such as 1_000_000."),
        (["replay", "none.parquet"], "There is no file none.parquet."),
        (["orders", "--time-zone", "Moon"], "'Moon' is no time zone"),
        (["parquet", "--as-of", "yesterday"], "'yesterday' is no time. Give one like"),
        (["parquet", "--as-of", "2026-13-01"], "'2026-13-01' is no time. Give one like"),
    ],
)
def test_wrong_argument_is_one_line(arguments: list[str], message: str) -> None:
    outcome = CliRunner().invoke(app, arguments)
    assert isinstance(outcome.exception, UserError)
    assert str(outcome.exception).startswith(message)
    assert "\n" not in str(outcome.exception)


def test_wrong_argument_ends_with_code_2_and_no_traceback(run: Run) -> None:
    outcome = run("stream", "cats")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: There is no profile 'cats'")
    assert outcome.stderr.count("\n") == 1


def test_stream_is_paced_and_ends_with_its_duration() -> None:
    clock, sink = ManualClock(START_MS), MemorySink()
    assert stream(make_profile("clicks", 1), sink, per_second=5, duration=4, clock=clock) == 20
    assert stream(make_profile("clicks", 1), sink, per_second=5, duration=10, count=3, clock=clock) == 3
    assert len(sink.messages) == 23


def test_stream_to_kinesis_and_s3(aws_server: LocalAws, kinesis: Any, s3: Any, unique: Callable[[str], str]) -> None:
    name = unique("sinks")
    create_stream(name, client=kinesis)
    s3.create_bucket(Bucket=name)
    for sink, target in (("kinesis", name), ("s3", f"s3://{name}/clicks.jsonl")):
        outcome = CliRunner().invoke(
            app,
            ["stream", "clicks", "--sink", sink, "--target", target, "--count", "20", "--json", "-"],
            env={"AWS_ENDPOINT_URL": aws_server.url},
        )
        assert outcome.exit_code == 0, outcome.output
        assert '"sent": 20' in outcome.output
    assert len(s3.get_object(Bucket=name, Key="clicks.jsonl")["Body"].read().splitlines()) == 20


def test_stream_writes_lines_to_standard_output_and_files(run: Run, tmp_path: Path) -> None:
    shown = run("stream", "clicks", "--sink", "stdout", "--count", "5", "--seed", "1")
    assert [json.loads(line)["event_id"][-8:] for line in shown.stdout.splitlines()] == [
        f"{number:08d}" for number in range(1, 6)
    ]
    file = tmp_path / "folder" / "orders.jsonl"
    assert run("stream", "orders", "--sink", "file", "--target", str(file), "--count", "7").returncode == 0
    assert len(file.read_bytes().splitlines()) == 7


def test_stream_writes_parquet(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "transactions.parquet"
    assert run("stream", "transactions", "--sink", "parquet", "--target", str(file), "--count", "50").returncode == 0
    frame = pl.read_parquet(file)
    assert (frame.height, frame.width) == (50, 24)


def test_stream_to_memory_counts_only(run: Run) -> None:
    figures = json.loads(run("stream", "accounts", "--sink", "memory", "--count", "9", "--json", "-").stdout)
    assert (figures["sent"], figures["failed"]) == (9, 0)


def test_validate_command_exits_1_on_a_failure(run: Run, tmp_path: Path) -> None:
    good = generate_dataset(500, tmp_path)
    assert run("validate", str(good)).returncode == 0
    bad = tmp_path / "bad.parquet"
    pl.read_parquet(good).reverse().write_parquet(bad)
    outcome = run("validate", str(bad))
    assert outcome.returncode == 1
    assert "row order" in outcome.stdout


def test_replayed_file_is_in_the_topic_in_order_and_decodes(
    run: Run, kafka_broker: LocalKafka, unique: Callable[[str], str], tmp_path: Path
) -> None:
    file = generate_dataset(3_000, tmp_path, as_of="2026-11-21")
    topic = unique("replay")
    command = ("replay", str(file), "--topic", topic)
    assert run(*command, KAFKA_SERVERS=kafka_broker.servers).returncode == 0
    decode = BY_TOPIC["transactions"].decode
    rows = {row["transaction_id"]: row for row in pl.read_parquet(file).iter_rows(named=True)}
    for records in read_all(kafka_broker.servers, topic).values():
        times = []
        for key, value in records:
            entity, event = decode(value, 0)
            times.append(event.time_ms)
            row = rows.pop(event.id)
            assert entity.encode() == key
            assert json.loads(value or b"") == row | {"event_time": json.loads(value or b"")["event_time"]}
            assert parse_ms(row["event_time"]) == event.time_ms
        assert times == sorted(times)
    assert rows == {}
    again = run(*command, "--limit", "10", KAFKA_SERVERS=kafka_broker.servers)
    assert again.returncode == 0
    assert f"warning: the topic {topic} is ahead" in again.stderr


def test_replay_goes_to_a_fresh_topic_and_keeps_the_file_s_time_scaled(
    kafka_broker: LocalKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = generate_dataset(500, tmp_path, as_of="2026-11-21").rename(tmp_path / "São Paulo.parquet")
    times = pl.read_parquet(file)["event_time"].dt.epoch("ms")
    clock = ManualClock(1)
    settings = load_settings(kafka_servers=kafka_broker.servers)
    figures = replay(settings, file, speed=60.0, clock=clock)
    assert figures["topic"] == "replay-S-o-Paulo-1"
    assert clock.monotonic() == pytest.approx((times[-1] - times[0]) / 60_000)
    assert figures["sent"] == 500
    assert "500 records to replay-" in capsys.readouterr().out
    with pytest.raises(UserError, match="Kafka takes no topic of the name 'São Paulo'"):
        replay(settings, file, speed=60.0, topic="São Paulo", clock=clock)


@pytest.mark.parametrize(
    ("times", "sent"),
    [
        (pl.Series([1_772_452_800_000]), 1_772_452_800_000),
        (pl.Series(["2026-03-02 13:00:00+0100"]), "2026-03-02 13:00:00+0100"),
        (
            pl.Series([1_772_452_800_123_999]).cast(pl.Datetime("us", "America/Sao_Paulo")),
            "2026-03-02T12:00:00.123Z",
        ),
    ],
)
def test_a_replayed_record_says_the_moment_of_its_row(times: pl.Series, sent: object, tmp_path: Path) -> None:
    row = {"card_id": ["c1"], "event_time": times, "mcc_code": [5411.0], "photo": [b"unused"]}
    pl.DataFrame(row).write_parquet(tmp_path / "rows.parquet")
    (message,) = messages(read_payments(tmp_path / "rows.parquet", None), None, ManualClock(1))
    assert json.loads(message.value or b"") == {"card_id": "c1", "event_time": sent, "mcc_code": 5411}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (pl.Series([0]).cast(pl.Datetime("ms")), "which names no moment. Write times with their zone"),
        (pl.Series([1_772_452_800]), "It may be in seconds: multiply by 1000"),
        (pl.Series(["2026-03-02T12:00:00"]), "expected a time with its zone"),
    ],
)
def test_a_file_whose_times_name_no_moment_is_not_replayed(times: pl.Series, expected: str, tmp_path: Path) -> None:
    pl.DataFrame({"card_id": ["c1"], "event_time": times}).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(UserError, match=expected):
        read_payments(tmp_path / "rows.parquet", None)


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", ""])
def test_wrong_speed_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="expected a multiple such as 60x, or max"):
        parse_speed(text)


def test_file_without_cards_cannot_be_replayed(kafka_broker: LocalKafka, tmp_path: Path) -> None:
    file = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(file)
    with pytest.raises(UserError, match="has no column card_id. It has: a."):
        replay(load_settings(kafka_servers=kafka_broker.servers), file, speed=None)


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "examples/transaction_producer_example.py", "1", "36000"],
        [sys.executable, "examples/custom_producer.py", "25"],
        ["scripts/run_transaction_producer.sh", "--duration", "1", "--rate", "36000"],
    ],
)
def test_examples_and_scripts_run(kafka_broker: LocalKafka, command: list[str]) -> None:
    outcome = subprocess.run(
        command,
        cwd=ROOT,
        env={"KAFKA_SERVERS": kafka_broker.servers, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert "messages" in outcome.stdout
