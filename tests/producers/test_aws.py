"""Ways to AWS and to its stand-in: past proxies where it is this machine, and failures in one line without a secret."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    ParamValidationError,
    ProxyConnectionError,
    SSLError,
    WaiterError,
)

from deploy.local.aws import LocalAws
from producers.aws import aws_client, friendly_errors
from tests.producers.conftest import Run
from twinstream.errors import UserError
from twinstream.local.ports import free_port


@pytest.fixture
def company_network(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A proxy that is set but does not answer, no AWS keys, and metadata addresses that nobody serves."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    variables = {
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"), nowhere),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": nowhere,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{nowhere}/keys",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_CONFIG_FILE": "/nowhere",
    }
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_the_stand_in_starts_and_is_used_past_a_proxy(
    company_network: dict[str, str], run: Run, unique: Callable[[str], str], tmp_path: Path
) -> None:
    server = LocalAws(tmp_path / "aws", free_port())
    server.start()
    try:
        name = unique("stream")
        environment = company_network | {"AWS_ENDPOINT_URL": f"http://localhost:{server.port}"}
        setup = run("setup-kinesis", "--stream-name", name, **environment)
        assert (setup.returncode, setup.stderr) == (0, "")
        sent = run("kinesis", "--num-transactions", "5", "--stream-name", name, **environment)
        assert (sent.returncode, sent.stderr) == (0, "")
    finally:
        server.stop()


def test_a_proxy_that_does_not_answer_is_told_from_an_aws_that_does_not(
    company_network: dict[str, str], run: Run, tmp_path: Path
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "hunter2"}
    failed = run(
        "kinesis", "--num-transactions", "1", "--use-aws", "--failed-file", str(tmp_path / "failed"),
        **company_network, **keys,
    )  # fmt: skip
    assert failed.returncode == 2
    assert "error: The proxy on the way to https://kinesis.us-east-1.amazonaws.com does not answer." in failed.stderr
    assert "hunter2" not in failed.stdout + failed.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_PROFILE": "nope"}, "The config profile (nope) could not be found"),
        ({"AWS_ENDPOINT_URL": "http://:0/"}, "AWS_ENDPOINT_URL is no URL"),
        ({"AWS_SESSION_TOKEN": "hunter2\n", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "line break"),
    ],
)
def test_a_wrong_aws_setting_is_one_line(
    variables: dict[str, str], expected: str, run: Run, aws_server: LocalAws
) -> None:
    failed = run("setup-kinesis", "--stream-name", "any", **({"AWS_ENDPOINT_URL": aws_server.url} | variables))
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert expected in failed.stderr
    assert "hunter2" not in failed.stderr


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "two\nlines"}}, "PutRecords"),
        ConnectTimeoutError(endpoint_url="http://localhost"),
        CredentialRetrievalError(provider="sso", error_msg="expired"),
        ParamValidationError(report="Invalid bucket name\n'x'"),
        ProxyConnectionError(proxy_url="http://me:hunter2@proxy"),
        S3UploadFailedError("Failed to upload\nx"),
        SSLError(endpoint_url="https://there", error="CERTIFICATE_VERIFY_FAILED"),
        WaiterError(name="stream", reason="gone", last_response={}),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_every_failure_of_boto_is_one_line(failure: Exception, aws_server: LocalAws) -> None:
    client: Any = aws_client("s3", endpoint_url=aws_server.url)
    with pytest.raises(UserError) as caught, friendly_errors(client, "missing"):
        raise failure
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_endpoint_is_not_shown() -> None:
    client: Any = aws_client("s3", endpoint_url=f"http://me:hunter2@localhost:{free_port()}")
    with pytest.raises(UserError) as caught, friendly_errors(client, "missing"):
        client.list_buckets()
    assert "hunter2" not in str(caught.value)
