"""Connections to AWS or to the local stand-in, and their failures in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from twinstream.addresses import is_loopback, without_password
from twinstream.errors import UserError
from twinstream.settings import load_settings

REGION = "us-east-1"

_OPTIONS: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 20,
    "retries": {"max_attempts": 1, "mode": "standard"},
}

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
    """A boto3 client of a service: at the endpoint (by default `AWS_ENDPOINT_URL`), or with `use_aws` of real AWS.

    Raises:
        UserError: the AWS configuration of this machine is not usable.
    """
    with _told("AWS"):
        if use_aws:
            session = boto3.Session()
            config = Config(**_OPTIONS, ignore_configured_endpoint_urls=True)
            return session.client(service, region_name=session.region_name or REGION, config=config)
        endpoint = endpoint_url or load_settings().aws_endpoint_url
        here = is_loopback(urlsplit(endpoint).hostname or "")
        session = boto3.Session(botocore_session=_without_network() if here else None)
        keys = {} if session.get_credentials() else {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        # No proxy leads to this machine; None asks the environment for one.
        config = Config(**_OPTIONS, s3={"addressing_style": "path"}, proxies={} if here else None)
        return session.client(service, region_name=REGION, endpoint_url=endpoint, config=config, **keys)


def _without_network() -> botocore.session.Session:
    """A session that looks for keys in the environment and files alone: a stand-in on this machine takes any."""
    session = botocore.session.get_session()
    providers = session.get_component("credential_provider")
    for name in ("container-role", "iam-role"):
        providers.remove(name)
    return session


def place_of(client: Any) -> str:
    """Where a client connects to, for messages."""
    return without_password(str(client.meta.endpoint_url))


@contextmanager
def friendly_errors(client: Any, missing: str) -> Iterator[None]:
    """Turn what a user can mend into one line; `missing` is said when the stream or bucket is not there."""
    with _told(place_of(client), missing):
        yield


@contextmanager
def _told(place: str, missing: str = "") -> Iterator[None]:
    """Every failure of boto3's in one line."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise UserError(
            "No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            'or run "aws configure".'
        ) from None
    except ProxyConnectionError:
        raise UserError(
            f"The proxy on the way to {place} does not answer. Correct HTTPS_PROXY and HTTP_PROXY, or set NO_PROXY."
        ) from None
    except SSLError as error:
        raise UserError(f"{place} cannot be talked to by TLS: {_line(error)}. AWS_CA_BUNDLE names a CA file.") from None
    except (EndpointConnectionError, ConnectionError, HTTPClientError) as error:
        if "Invalid header value" in str(error):  # and then the value, which may be a key
            raise UserError(
                "One of the AWS credentials holds a character that cannot be sent, such as a line break. Correct it."
            ) from None
        raise UserError(
            f'AWS does not answer at {place}. Start the local one with "make up", '
            "or set AWS_ENDPOINT_URL, or give --use-aws."
        ) from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if missing and code in {"ResourceNotFoundException", "NoSuchBucket", "404"}:
            raise UserError(missing) from None
        if code in _CREDENTIAL_ERRORS:
            raise UserError(
                f"AWS refuses the credentials ({code}). Check them and what they are allowed to do."
            ) from None
        raise UserError(f"AWS at {place} refuses: {_line(error)}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise UserError(f"AWS at {place} failed: {_line(error)}") from None
    except ValueError as error:
        if "Invalid endpoint" in str(error):
            raise UserError("AWS_ENDPOINT_URL is no URL that AWS's client can use. Correct it.") from None
        raise


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
