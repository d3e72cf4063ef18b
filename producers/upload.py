"""Generated files into S3, under a path that tells their date."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from dotenv import dotenv_values

from producers.aws import friendly_errors, place_of
from producers.datasets import first_free
from twinstream.errors import UserError

CONFIG_FILE = Path(__file__).resolve().parent.parent / "config" / "dev.env"
PROFILES_PREFIX = "profiles"
DEFAULT_PREFIX = "payments"

_DATED = re.compile(r"^(?P<stem>.+)_(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(_\d+)?$")


@dataclass(frozen=True, slots=True)
class Destination:
    """The bucket, and the folder for Parquet files in it."""

    bucket: str
    prefix: str = DEFAULT_PREFIX


def read_destination(config_file: Path = CONFIG_FILE) -> Destination:
    """`RAW_BUCKET` and `RAW_PREFIX` from the environment, else from `config/dev.env`."""
    from_file = dotenv_values(config_file) if config_file.exists() else {}
    bucket = os.environ.get("RAW_BUCKET") or from_file.get("RAW_BUCKET")
    if not bucket:
        raise UserError("RAW_BUCKET is not set; expected the name of an S3 bucket, here or in config/dev.env.")
    prefix = os.environ.get("RAW_PREFIX") or from_file.get("RAW_PREFIX") or DEFAULT_PREFIX
    return Destination(bucket, prefix.strip("/"))


def upload_files(client: Any, paths: list[Path], destination: Destination, *, create_bucket: bool = False) -> list[str]:
    """Upload each file and return their `s3://` addresses; nothing in the bucket is overwritten.

    Raises:
        UserError: a file or the bucket is missing, its name has no date, or S3 does not answer.
    """
    for path in paths:
        if not path.is_file():
            what = "a folder; expected a file" if path.is_dir() else "not there"
            raise UserError(f'{path} is {what}. Generate it with "python -m producers parquet".')
        if not os.access(path, os.R_OK):
            raise UserError(f"{path} may not be read. Check who owns it, and its permissions.")
    with friendly_errors(client, _no_bucket(client, destination.bucket)):
        if create_bucket:
            _create_bucket(client, destination.bucket)
        addresses = []
        for path in paths:
            key = _free_key(client, path, destination)
            put_file(client, path, destination.bucket, key)
            addresses.append(f"s3://{destination.bucket}/{key}")
        return addresses


def place_in_bucket(path: Path, prefix: str) -> tuple[str, str]:
    """Folder and name (without suffix) of a file in the bucket.

    >>> place_in_bucket(Path("outputs/payments_1M_2026-11-21_2.parquet"), "payments")
    ('payments/year=2026/month=11', 'payments_1M_20261121')
    >>> place_in_bucket(Path("outputs/profile_1M_2026-11-21.html"), "payments")
    ('profiles/year=2026/month=11', 'profile_1M_20261121')
    """
    match = _DATED.match(path.stem)
    if match is None:
        raise UserError(f"{path.name} has no date in its name; expected something like payments_1M_2026-11-21.parquet.")
    year, month, day = match["year"], match["month"], match["day"]
    folder = PROFILES_PREFIX if path.suffix == ".html" else prefix
    return f"{folder}/year={year}/month={month}", f"{match['stem']}_{year}{month}{day}"


def put_file(client: Any, path: Path, bucket: str, key: str) -> None:
    """Upload one file."""
    with friendly_errors(client, _no_bucket(client, bucket)), path.open("rb") as body:
        client.put_object(Bucket=bucket, Key=key, Body=body)


def _no_bucket(client: Any, bucket: str) -> str:
    return f"The bucket {bucket} does not exist at {place_of(client)}. Create it, or set RAW_BUCKET to one that does."


def _create_bucket(client: Any, bucket: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchBucket"}:
            raise
        client.create_bucket(Bucket=bucket)


def _free_key(client: Any, path: Path, destination: Destination) -> str:
    folder, name = place_in_bucket(path, destination.prefix)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=destination.bucket, Prefix=f"{folder}/{name}")
    taken = {found["Key"] for page in pages for found in page.get("Contents", ())}
    return f"{folder}/{first_free(name, path.suffix, lambda each: f'{folder}/{each}' in taken)}"
