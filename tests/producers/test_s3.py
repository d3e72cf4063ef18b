"""Uploads and the S3 sink against a real moto server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.aws import LocalAws
from producers.aws import aws_client
from producers.parquet import generate_dataset
from producers.profiling import profile_path
from producers.records import Message
from producers.sinks.s3 import S3Sink
from producers.upload import Destination, read_destination, upload_files
from tests.producers.conftest import Run
from twinstream.errors import UserError
from twinstream.local.ports import free_port


@pytest.fixture
def bucket(s3: Any, unique: Callable[[str], str]) -> str:
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


def keys(s3: Any, bucket: str) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_files_go_under_their_date_and_never_over_another(s3: Any, bucket: str, tmp_path: Path) -> None:
    parquet = generate_dataset(1_000, tmp_path, as_of="2026-11-21")
    html = profile_path(parquet)
    html.write_text("<html>")
    for suffix in ("", "_2", "_3"):
        addresses = upload_files(s3, [parquet, html], Destination(bucket))
        assert addresses == [
            f"s3://{bucket}/payments/year=2026/month=11/payments_1k_20261121{suffix}.parquet",
            f"s3://{bucket}/profiles/year=2026/month=11/profile_1k_20261121{suffix}.html",
        ]
    stored = s3.get_object(Bucket=bucket, Key="payments/year=2026/month=11/payments_1k_20261121.parquet")
    assert stored["Body"].read() == parquet.read_bytes()


def test_command_generates_profiles_and_uploads(
    run: Run, aws_server: LocalAws, s3: Any, unique: Callable[[str], str], tmp_path: Path
) -> None:
    bucket = unique("bucket")
    outcome = run(
        "parquet", "--rows", "2_000", "--out", str(tmp_path), "--as-of", "2026-11-21", "--upload",
        AWS_ENDPOINT_URL=aws_server.url, RAW_BUCKET=bucket, RAW_PREFIX="raw/payments",
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    assert (
        f"Upload complete to s3://{bucket}/raw/payments/year=2026/month=11/payments_2k_20261121.parquet"
        in outcome.stdout
    )
    assert sorted(keys(s3, bucket)) == [
        "profiles/year=2026/month=11/profile_2k_20261121.html",
        "raw/payments/year=2026/month=11/payments_2k_20261121.parquet",
    ]
    (html,) = tmp_path.glob("profile_2k_2026-11-21.html")
    assert 100_000 < html.stat().st_size < 5_000_000
    assert "label_fraud" in html.read_text(encoding="utf-8")
    again = run("upload", *map(str, tmp_path.glob("*.parquet")), AWS_ENDPOINT_URL=aws_server.url, RAW_BUCKET=bucket)
    assert (
        again.stdout == f"Upload complete to s3://{bucket}/payments/year=2026/month=11/payments_2k_20261121.parquet\n"
    )


def test_missing_bucket_is_one_line(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "payments_1k_2026-11-21.parquet"
    file.touch()
    with pytest.raises(UserError, match="The bucket nowhere does not exist at .* Create it, or set RAW_BUCKET"):
        upload_files(s3, [file], Destination("nowhere"))


def test_absent_endpoint_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "payments_1k_2026-11-21.parquet"
    file.touch()
    client = aws_client("s3", endpoint_url=f"http://localhost:{free_port()}")
    with pytest.raises(UserError, match="AWS does not answer at"):
        upload_files(client, [file], Destination("any"), create_bucket=True)


def test_missing_file_and_name_without_date_are_one_line(s3: Any, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there. Generate it with"):
        upload_files(s3, [tmp_path / "none.parquet"], Destination(bucket))
    undated = tmp_path / "payments.parquet"
    undated.touch()
    with pytest.raises(UserError, match="payments.parquet has no date in its name"):
        upload_files(s3, [undated], Destination(bucket))


def test_a_file_that_may_not_be_read_is_one_line(
    s3: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "payments_1k_2026-11-21.parquet"
    file.touch()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    with pytest.raises(UserError, match=r"payments_1k_2026-11-21.parquet may not be read\. Check who owns it"):
        upload_files(s3, [file], Destination(bucket))


def test_destination_comes_from_the_environment_then_from_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("RAW_BUCKET", "RAW_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "dev.env"
    with pytest.raises(UserError, match="RAW_BUCKET is not set"):
        read_destination(file)
    file.write_text("RAW_BUCKET=from-file\nRAW_PREFIX=/some/where/\n")
    assert read_destination(file) == Destination("from-file", "some/where")
    monkeypatch.setenv("RAW_BUCKET", "from-environment")
    assert read_destination(file) == Destination("from-environment", "some/where")


def test_project_s_own_destination_is_complete() -> None:
    assert read_destination().prefix == "payments"


def test_sink_uploads_its_lines_when_closed(s3: Any, bucket: str) -> None:
    sink = S3Sink(s3, bucket, "clicks/today.jsonl")
    for number in range(3):
        sink.send(Message("user", b'{"number":%d}' % number))
    sink.flush()
    assert keys(s3, bucket) == []
    sink.close()
    sink.close()
    body = s3.get_object(Bucket=bucket, Key="clicks/today.jsonl")["Body"].read()
    assert [json.loads(line)["number"] for line in body.splitlines()] == [0, 1, 2]
    assert sink.delivery.sent == 3
