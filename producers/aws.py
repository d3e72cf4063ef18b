"""Connections to AWS or to the local stand-in, and their failures in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from runtime.errors import UserError
from runtime.settings import load_settings

REGION = "us-east-1"

_CREDENTIAL_ERRORS = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


def aws_client(service: str, *, endpoint_url: str | None = None, use_aws: bool = False) -> Any:
    """A boto3 client of a service: at the endpoint (by default `AWS_ENDPOINT_URL`), or with `use_aws` of real AWS."""
    config = Config(
        connect_timeout=3,
        read_timeout=20,
        retries={"max_attempts": 1, "mode": "standard"},
        ignore_configured_endpoint_urls=use_aws,
        s3={"addressing_style": "path"} if not use_aws else None,
    )
    session = boto3.Session()
    if use_aws:
        return session.client(service, region_name=session.region_name or REGION, config=config)
    local = {} if session.get_credentials() else {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    endpoint = endpoint_url or load_settings().aws_endpoint_url
    return session.client(service, region_name=REGION, endpoint_url=endpoint, config=config, **local)


def place_of(client: Any) -> str:
    """Where a client connects to, for messages."""
    return str(client.meta.endpoint_url)


@contextmanager
def friendly_errors(client: Any, missing: str) -> Iterator[None]:
    """Turn what a user can mend into one line; `missing` is said when the stream or bucket is not there."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise UserError(
            "No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            'or run "aws configure".'
        ) from None
    except (EndpointConnectionError, ConnectionError, HTTPClientError):
        raise UserError(
            f'AWS does not answer at {place_of(client)}. Start the local one with "make up", '
            "or set AWS_ENDPOINT_URL, or give --use-aws."
        ) from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"ResourceNotFoundException", "NoSuchBucket", "404"}:
            raise UserError(missing) from None
        if code in _CREDENTIAL_ERRORS:
            raise UserError(
                f"AWS refuses the credentials ({code}). Check them and what they are allowed to do."
            ) from None
        raise UserError(f"AWS at {place_of(client)} refuses: {' '.join(str(error).split())}") from None
    except BotoCoreError as error:
        raise UserError(f"AWS at {place_of(client)} failed: {' '.join(str(error).split())}") from None
