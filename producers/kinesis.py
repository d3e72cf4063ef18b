"""Records into a Kinesis stream: full requests, failed entries tried again, and nothing dropped silently."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from producers.aws import aws_client, friendly_errors, place_of
from producers.clock import Clock, SystemClock
from producers.records import Message, encode
from twinstream.errors import UserError
from twinstream.files import told_if_unwritable

STREAM = "fraud-transactions"
MAX_ENTRIES = 500
MAX_REQUEST_BYTES = 5_000_000
"""Kinesis takes 5 MB in one request, partition keys included."""

MAX_ENTRY_BYTES = 1_000_000
MAX_KEY_CHARACTERS = 256
ATTEMPTS = 6
PARTITION_KEY = "card_id"

Entry = dict[str, Any]
"""One entry of a PutRecords request."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the records of a call."""

    successes: int
    failures: int


class KinesisProducer:
    """Sends records to one stream, spread over its shards by `card_id`."""

    def __init__(
        self,
        stream_name: str = STREAM,
        *,
        endpoint_url: str | None = None,
        use_aws: bool = False,
        partition_key: str = PARTITION_KEY,
        failed_file: str | Path = "outputs/kinesis_failed.jsonl",
        clock: Clock | None = None,
        client: Any = None,
    ) -> None:
        """Connect lazily: the first call talks to Kinesis.

        Args:
            stream_name: the stream.
            endpoint_url: where Kinesis answers, by default at `AWS_ENDPOINT_URL`; not looked at with `use_aws`.
            use_aws: whether to use real AWS.
            partition_key: field of the record that decides the shard.
            failed_file: where records go that could not be delivered, as JSON lines.
            clock: how to wait between two tries.
            client: another boto3 client.
        """
        self.stream_name = stream_name
        self.failed_file = Path(failed_file)
        self.records_sent = 0
        self.records_failed = 0
        self._partition_key = partition_key
        self._client = client or aws_client("kinesis", endpoint_url=endpoint_url, use_aws=use_aws)
        self._clock = clock or SystemClock()
        self._log = structlog.get_logger(__name__)

    def put_records_batch(self, records: Iterable[Mapping[str, object]]) -> BatchResult:
        """Send the records in as few requests as the limits allow; only failed entries are tried again.

        A record that Kinesis would not take, since it has no partition key or is too large, is set aside alone.

        Raises:
            UserError: credentials, stream or endpoint are missing. What was not sent is in the failed file then.
        """
        return self._deliver([(_key_of(record, self._partition_key), encode(record)) for record in records])

    def put_messages(self, messages: Iterable[Message]) -> BatchResult:
        """The same for messages that are bytes already; those without any key share one."""
        return self._deliver(
            [("-" if message.key is None else message.key, message.value or b"null") for message in messages]
        )

    def _deliver(self, keyed: Sequence[tuple[str, bytes]]) -> BatchResult:
        entries: list[Entry] = []
        lost: list[Entry] = []
        for key, data in keyed:
            entry = {"Data": data, "PartitionKey": key}
            fault = _fault(entry)
            if fault is not None:
                self._log.warning("Kinesis would refuse this record", fault=fault, key=key[:40])
            (entries if fault is None else lost).append(entry)
        succeeded = 0
        requests = list(_requests(entries))
        for number, request in enumerate(requests):
            try:
                failed = self._send(request)
            except UserError:
                unsent = [entry for later in requests[number:] for entry in later]
                self._set_aside(lost + unsent)
                self.records_sent += succeeded
                raise
            succeeded += len(request) - len(failed)
            lost += failed
        self._set_aside(lost)
        self.records_sent += succeeded
        return BatchResult(succeeded, len(lost))

    def _send(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Send one request, and again what failed of it, ever later; return what failed each time."""
        left = entries

        def attempt() -> Sequence[Entry]:
            nonlocal left
            left = self._put(left)
            return left

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=0.1, max=5.0, jitter=0.1),
            retry=retry_if_result(bool),
            retry_error_callback=_give_up,
            sleep=self._clock.sleep,
        )
        return retrying(attempt)

    def _put(self, entries: Sequence[Entry]) -> list[Entry]:
        """One PutRecords request; the entries that Kinesis did not take."""
        missing = (
            f"The stream {self.stream_name} does not exist at {place_of(self._client)}. "
            'Create it with "python -m producers setup-kinesis".'
        )
        with friendly_errors(self._client, missing):
            answer = self._client.put_records(StreamName=self.stream_name, Records=list(entries))
        results = answer["Records"]
        failed = [entry for entry, result in zip(entries, results, strict=True) if result.get("ErrorCode")]
        if failed:
            codes = sorted({result["ErrorCode"] for result in results if result.get("ErrorCode")})
            self._log.warning("Kinesis did not take all entries", failed=len(failed), of=len(entries), codes=codes)
        return failed

    def _set_aside(self, entries: Sequence[Entry]) -> None:
        """Count and keep what could not be delivered."""
        if not entries:
            return
        self.records_failed += len(entries)
        with told_if_unwritable(self.failed_file):
            self.failed_file.parent.mkdir(parents=True, exist_ok=True)
            with self.failed_file.open("ab") as file:
                file.writelines(entry["Data"] + b"\n" for entry in entries)
        self._log.error("Records not delivered were written to a file", count=len(entries), file=str(self.failed_file))


def create_stream(stream_name: str = STREAM, *, shards: int = 1, client: Any) -> bool:
    """Create the stream and wait until it is active; False if it was there already."""
    with friendly_errors(client, f"The stream {stream_name} vanished while it was created. Try again."):
        try:
            client.create_stream(StreamName=stream_name, ShardCount=shards)
            created = True
        except client.exceptions.ResourceInUseException:
            created = False
        client.get_waiter("stream_exists").wait(StreamName=stream_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return created


def _key_of(record: Mapping[str, object], field: str) -> str:
    """The record's partition key; empty if it has none."""
    value = record.get(field)
    return "" if value is None else str(value)


def _fault(entry: Entry) -> str | None:
    """Why Kinesis would refuse an entry, and with it every other one of its request; None if it would not."""
    characters = len(entry["PartitionKey"])
    if not characters:
        return "no partition key"
    if characters > MAX_KEY_CHARACTERS:
        return f"a partition key of {characters} characters, more than {MAX_KEY_CHARACTERS}"
    if _size(entry) > MAX_ENTRY_BYTES:
        return f"{_size(entry):,} bytes, more than {MAX_ENTRY_BYTES:,}"
    return None


def _size(entry: Entry) -> int:
    return len(entry["Data"]) + len(entry["PartitionKey"].encode())


def _requests(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in requests of at most `MAX_ENTRIES` and `MAX_REQUEST_BYTES`."""
    request: list[Entry] = []
    size = 0
    for entry in entries:
        if request and (len(request) == MAX_ENTRIES or size + _size(entry) > MAX_REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append(entry)
        size += _size(entry)
    if request:
        yield request


def _give_up(state: RetryCallState) -> Sequence[Entry]:
    """After the last attempt: its failed entries are the result."""
    assert state.outcome is not None
    failed: Sequence[Entry] = state.outcome.result()
    return failed
