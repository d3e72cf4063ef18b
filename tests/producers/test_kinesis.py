"""The Kinesis producer and its commands against a real moto server over HTTP."""

import base64
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws import LocalAws
from producers.aws import aws_client
from producers.clock import ManualClock
from producers.commands.kinesis import send_to_kinesis
from producers.generator import TransactionGenerator
from producers.kinesis import STREAM, BatchResult, KinesisProducer, create_stream
from producers.profiles import make_profile
from producers.records import Message, encode
from producers.sinks.kinesis import KinesisSink
from tests.producers.conftest import START_MS, Run
from tests.producers.faulty_proxy import faulty_proxy
from twinstream.errors import UserError
from twinstream.local.ports import free_port

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def stream(kinesis: Any, unique: Callable[[str], str]) -> str:
    """A new stream of two shards."""
    name = unique("stream")
    assert create_stream(name, shards=2, client=kinesis)
    return name


def read_back(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    """All records of a stream, decoded, with their partition key and shard."""
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        position = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=position, Limit=1_000)
            for record in answer["Records"]:
                found.append(json.loads(record["Data"]) | {"key": record["PartitionKey"], "shard": shard["ShardId"]})
            position = answer["NextShardIterator"]
            if not answer["Records"]:
                break
    return found


def transactions(count: int) -> list[dict[str, Any]]:
    return [dict(each) for each in TransactionGenerator(clock=ManualClock(START_MS)).generate_batch(count)]


def test_records_arrive_with_the_card_as_partition_key(aws_server: LocalAws, kinesis: Any, stream: str) -> None:
    producer = KinesisProducer(stream, endpoint_url=aws_server.url)
    sent = transactions(40)
    assert producer.put_records_batch(sent) == BatchResult(40, 0)
    found = read_back(kinesis, stream)
    assert {record["transaction_id"] for record in found} == {record["transaction_id"] for record in sent}
    assert all(record["key"] == record["card_id"] for record in found)
    assert len({record["shard"] for record in found}) == 2


def test_requests_have_at_most_500_entries_and_5_megabytes(aws_server: LocalAws, stream: str) -> None:
    with faulty_proxy(aws_server.url, lambda entry: False) as (url, requests):
        producer = KinesisProducer(stream, endpoint_url=url)
        assert producer.put_records_batch(transactions(1_101)) == BatchResult(1_101, 0)
        assert [len(entries) for entries in requests] == [500, 500, 101]
        requests.clear()
        large = [record | {"padding": "x" * 900_000} for record in transactions(12)]
        assert producer.put_records_batch(large) == BatchResult(12, 0)
        assert [len(entries) for entries in requests] == [5, 5, 2]


def test_only_failed_entries_are_sent_again_ever_later(aws_server: LocalAws, kinesis: Any, stream: str) -> None:
    tries: Counter[str] = Counter()

    def refuse_twice(entry: dict[str, Any]) -> bool:
        tries[entry["Data"]] += 1
        return hash_of(entry) % 4 == 0 and tries[entry["Data"]] <= 2

    clock = ManualClock()
    with faulty_proxy(aws_server.url, refuse_twice) as (url, requests):
        producer = KinesisProducer(stream, endpoint_url=url, clock=clock)
        assert producer.put_records_batch(transactions(100)) == BatchResult(100, 0)
    refused = sum(number == 3 for number in tries.values())
    assert [len(entries) for entries in requests] == [100, refused, refused]
    assert 0 < refused < 100
    assert clock.monotonic() >= 0.3
    assert len(read_back(kinesis, stream)) == 100


def hash_of(entry: dict[str, Any]) -> int:
    return sum(base64.b64decode(entry["Data"])[:60])


def test_what_still_fails_is_counted_and_written_to_a_file(aws_server: LocalAws, stream: str, tmp_path: Path) -> None:
    sent = transactions(30)
    doomed = {sent[3]["transaction_id"], sent[17]["transaction_id"]}

    def refuse(entry: dict[str, Any]) -> bool:
        return json.loads(base64.b64decode(entry["Data"]))["transaction_id"] in doomed

    file = tmp_path / "failed" / "kinesis.jsonl"
    with faulty_proxy(aws_server.url, refuse) as (url, requests):
        producer = KinesisProducer(stream, endpoint_url=url, clock=ManualClock(), failed_file=file)
        assert producer.put_records_batch(sent) == BatchResult(28, 2)
    assert len(requests) == 6
    assert (producer.records_sent, producer.records_failed) == (28, 2)
    assert {json.loads(line)["transaction_id"] for line in file.read_bytes().splitlines()} == doomed


def test_record_above_the_limit_is_set_aside_and_the_others_go(
    aws_server: LocalAws, stream: str, tmp_path: Path
) -> None:
    producer = KinesisProducer(stream, endpoint_url=aws_server.url, failed_file=tmp_path / "failed.jsonl")
    small, large = transactions(2)
    assert producer.put_records_batch([small, large | {"padding": "x" * 1_000_000}]) == BatchResult(1, 1)


def test_a_failed_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    producer = KinesisProducer("any", client=object(), failed_file=tmp_path / "file" / "folder" / "failed.jsonl")
    with pytest.raises(UserError, match=r"failed\.jsonl cannot be written \(Not a directory\)"):
        producer.put_records_batch([{"card_id": None}])


def test_records_that_kinesis_would_refuse_for_their_key_are_set_aside_and_the_others_go(
    aws_server: LocalAws, kinesis: Any, stream: str, tmp_path: Path
) -> None:
    file = tmp_path / "failed.jsonl"
    producer = KinesisProducer(stream, endpoint_url=aws_server.url, failed_file=file)
    good, bad, longest = transactions(11), transactions(4), "ü" * 256
    for record, key in zip(bad, ["", None, longest + "ü"], strict=False):
        record["card_id"] = key
    del bad[3]["card_id"]
    good[0]["card_id"] = longest
    assert producer.put_records_batch([*good[:5], *bad, *good[5:]]) == BatchResult(11, 4)
    assert sorted(record["key"] for record in read_back(kinesis, stream)) == sorted(each["card_id"] for each in good)
    assert [json.loads(line) for line in file.read_bytes().splitlines()] == bad


def test_producer_without_arguments_sends_to_where_aws_endpoint_url_says(
    aws_server: LocalAws, kinesis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_server.url)
    create_stream(STREAM, client=kinesis)
    sent = transactions(2)
    assert KinesisProducer().put_records_batch(sent) == BatchResult(2, 0)
    assert {each["transaction_id"] for each in sent} <= {each["transaction_id"] for each in read_back(kinesis, STREAM)}


def test_missing_stream_is_one_line_and_loses_nothing(aws_server: LocalAws, tmp_path: Path) -> None:
    file = tmp_path / "failed.jsonl"
    producer = KinesisProducer("nowhere", endpoint_url=aws_server.url, failed_file=file)
    with pytest.raises(UserError, match=r'The stream nowhere does not exist at .* "python -m producers setup-kinesis"'):
        producer.put_records_batch(transactions(3))
    assert len(file.read_bytes().splitlines()) == 3


def test_absent_endpoint_is_one_line(tmp_path: Path) -> None:
    url = f"http://localhost:{free_port()}"
    producer = KinesisProducer("any", endpoint_url=url, failed_file=tmp_path / "failed.jsonl")
    with pytest.raises(UserError, match=f"AWS does not answer at {url}. Start the local one with"):
        producer.put_records_batch(transactions(1))


def test_missing_credentials_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    producer = KinesisProducer("any", use_aws=True, failed_file=tmp_path / "failed.jsonl")
    with pytest.raises(UserError, match="No AWS credentials were found. Set AWS_PROFILE"):
        producer.put_records_batch(transactions(1))


def test_use_aws_goes_to_real_aws_whatever_the_endpoint_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:4566")
    client = aws_client("kinesis", endpoint_url="http://localhost:4566", use_aws=True)
    assert client.meta.endpoint_url == "https://kinesis.us-east-1.amazonaws.com"


def test_setup_may_run_twice(run: Run, aws_server: LocalAws, unique: Callable[[str], str]) -> None:
    name = unique("stream")
    for said in ("created", "was there already"):
        outcome = run("setup-kinesis", "--stream-name", name, AWS_ENDPOINT_URL=aws_server.url)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert f"Stream {name} {said} at {aws_server.url}" in outcome.stdout


def test_command_logs_the_events_of_the_contract(
    run: Run, aws_server: LocalAws, kinesis: Any, stream: str, tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics.json"
    outcome = run(
        "kinesis", "--num-transactions", "50", "--batch-size", "20", "--stream-name", stream, "--fraud-ratio", "0.2",
        "--metrics-file", str(metrics), AWS_ENDPOINT_URL=aws_server.url,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    events = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [event["event"] for event in events] == [
        "Starting fraud transaction producer",
        *["Generated batch", "Batch sent to Kinesis"] * 3,
        "Producer finished",
    ]
    assert list(events[0].items())[:3] == [
        ("event", events[0]["event"]),
        ("stream_name", stream),
        ("num_transactions", 50),
    ]
    generated = [event for event in events if event["event"] == "Generated batch"]
    assert [event["batch_number"] for event in generated] == [1, 2, 3]
    assert generated[0]["fraud_percentage"] == 100 * generated[0]["fraud_count"] / 20
    sent = [event for event in events if event["event"] == "Batch sent to Kinesis"]
    assert [event["total_sent"] for event in sent] == [20, 40, 50]
    assert [event["progress_pct"] for event in sent] == [40, 80, 100]
    assert [(event["successes"], event["failures"]) for event in sent] == [(20, 0), (20, 0), (10, 0)]
    assert events[-1]["total_records"] == 50
    assert events[-1]["records_per_second"] > 0
    assert json.loads(metrics.read_text())["total_records"] == 50
    assert len(read_back(kinesis, stream)) == 50


@pytest.mark.parametrize("output", ["terminal", "file"])
def test_events_are_whole_lines_on_standard_output_while_a_bar_is_on_the_terminal(
    run: Run, aws_server: LocalAws, stream: str, output: str
) -> None:
    shown, terminal = os.openpty()
    os.set_blocking(shown, False)
    standard_output = {"stdout": terminal} if output == "terminal" else {}
    outcome = run(
        "kinesis", "--num-transactions", "20", "--stream-name", stream,
        AWS_ENDPOINT_URL=aws_server.url, COLUMNS="60", TERM="xterm", stderr=terminal, **standard_output,
    )  # fmt: skip
    on_terminal = os.read(shown, 65_536).decode()
    os.close(terminal)
    os.close(shown)
    assert "20/20" in on_terminal
    cursor_shown, line_erased = "\x1b[?25h", "\r\x1b[2K"
    visible = [line.rpartition(line_erased)[2] for line in on_terminal.replace(cursor_shown, "").split("\r\n")]
    lines = (outcome.stdout or "\n".join(line for line in visible if line.startswith("{"))).splitlines()
    assert [json.loads(line)["event"] for line in lines] == [
        "Starting fraud transaction producer",
        *["Generated batch", "Batch sent to Kinesis"] * 2,
        "Producer finished",
    ]


def test_aws_command_line_describes_the_stream_and_reads_the_records_back(
    run: Run, aws_server: LocalAws, stream: str
) -> None:
    assert run("kinesis", "--stream-name", stream, AWS_ENDPOINT_URL=aws_server.url).returncode == 0

    def aws(*arguments: str) -> Any:
        credentials = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        command = [
            sys.executable,
            str(AWS),
            "--endpoint-url",
            aws_server.url,
            "--output",
            "json",
            "kinesis",
            *arguments,
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | credentials)
        return json.loads(answer.stdout)

    assert aws("describe-stream", "--stream-name", stream)["StreamDescription"]["StreamStatus"] == "ACTIVE"
    found = []
    for shard in aws("list-shards", "--stream-name", stream)["Shards"]:
        where = ["--stream-name", stream, "--shard-id", shard["ShardId"], "--shard-iterator-type", "TRIM_HORIZON"]
        position = aws("get-shard-iterator", *where)["ShardIterator"]
        found += aws("get-records", "--shard-iterator", position)["Records"]
    records = [json.loads(base64.b64decode(record["Data"])) for record in found]
    assert len({record["transaction_id"] for record in records}) == 100


def test_undelivered_records_end_the_command_with_an_error(
    aws_server: LocalAws, stream: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty_proxy(aws_server.url, lambda entry: True) as (url, _):
        producer = KinesisProducer(stream, endpoint_url=url, clock=ManualClock(), failed_file=tmp_path / "failed.jsonl")
        with pytest.raises(UserError, match="10 records were not delivered. They are in"):
            send_to_kinesis(producer, num_transactions=10)
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["failures"]) == ("Producer finished", 10)


def test_interrupt_ends_with_the_final_event(
    aws_server: LocalAws, stream: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = KinesisProducer(stream, endpoint_url=aws_server.url)
    put = producer.put_records_batch

    def put_then_interrupt(records: Any) -> BatchResult:
        if producer.records_sent:
            raise KeyboardInterrupt
        return put(records)

    monkeypatch.setattr(producer, "put_records_batch", put_then_interrupt)
    figures = send_to_kinesis(producer, num_transactions=100)
    assert (figures["total_records"], figures["interrupted"]) == (10, True)
    assert "Producer finished" in capsys.readouterr().out


def test_sink_sends_full_requests_and_the_rest_at_the_end(aws_server: LocalAws, kinesis: Any, stream: str) -> None:
    clicks = make_profile("clicks", 1)
    sink = KinesisSink(KinesisProducer(stream, endpoint_url=aws_server.url))
    for number in range(510):
        click = clicks.record(START_MS + number)
        sink.send(Message(click["user_id"], encode(click)))
    assert sink.delivery.sent == 500
    sink.close()
    assert (sink.delivery.sent, sink.delivery.failed) == (510, 0)
    assert len(read_back(kinesis, stream)) == 510
