"""Fetched bytes to `Record`s, a whole record batch at a time.

Takes the place of the class of the same name inside kafka-python's fetcher, which builds one 13-field tuple per record
through several layers. What it must keep: records below the wanted offset are left out, aborted transactions and
transaction markers are stepped over, a damaged batch is an error after the good ones before it were delivered.
"""

from collections import deque
from typing import Any

from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch

from twinstream.log.contract import Record


class FetchedRecords:
    """The records of one partition in one fetch response, handed out in slices by `take`."""

    def __init__(
        self,
        fetch_offset: int,
        tp: Any,
        records: Any,
        key_deserializer: Any = None,
        value_deserializer: Any = None,
        check_crcs: bool = True,
        isolation_level: Any = None,
        aborted_transactions: Any = None,
        metric_aggregator: Any = None,
        on_drain: Any = None,
    ) -> None:
        self.topic_partition = tp
        self.fetch_offset = fetch_offset
        self.next_fetch_offset = fetch_offset
        self.leader_epoch = -1
        self.bytes_read = 0
        self._batches = records
        self._check_crcs = check_crcs
        self._aborts = deque(sorted(aborted_transactions or (), key=lambda aborted: int(aborted.first_offset)))
        self._aborted_producers: set[int] = set()
        self._on_drain = on_drain
        self._decoded: list[Record] = []
        self._taken = 0
        self._after_decoded = fetch_offset
        self._error: Exception | None = None
        self._open = True

    def __bool__(self) -> bool:
        return self._open

    def _decode(self, batch: DefaultRecordBatch, topic: str, partition: int) -> list[Record]:
        return decode_batch(batch, topic, partition)

    def drain(self) -> None:
        """Let go of everything; called when all was taken and when the partition is no longer wanted."""
        if self._open:
            self._open = False
            self._decoded = []
            self._on_drain(self)

    def take(self, count: int) -> list[Record]:
        """Up to `count` records. `next_fetch_offset` then stands behind them, and behind any markers that follow."""
        taken: list[Record] = []
        while len(taken) < count:
            if self._taken == len(self._decoded):
                if not self._decode_next(raise_error=not taken):
                    break
                continue
            piece = self._decoded[self._taken : self._taken + count - len(taken)]
            self._taken += len(piece)
            self.next_fetch_offset = piece[-1].offset + 1
            taken += piece
        if self._taken == len(self._decoded) and self._error is None:
            more = self._decode_next(raise_error=False)
            if not more and self._error is None:
                self.drain()
        return taken

    def _decode_next(self, raise_error: bool) -> bool:
        """Decode on to the next batch that holds wanted records; False at the end, or at an error kept for later."""
        try:
            if self._error is not None:
                raise self._error
            return self._decode_batches()
        except Exception as error:
            if raise_error:
                self._error = None
                raise
            self._error = error
            return False

    def _decode_batches(self) -> bool:
        self.next_fetch_offset = max(self.next_fetch_offset, self._after_decoded)
        while (batch := self._batches.next_batch()) is not None:
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordError(
                    f"The batch of {self.topic_partition} at offset {batch.base_offset} fails its checksum."
                )
            self._after_decoded = batch.next_offset
            self.leader_epoch = batch.leader_epoch
            self.bytes_read += batch.size_in_bytes
            if not self._is_visible(batch):
                self.next_fetch_offset = max(self.next_fetch_offset, self._after_decoded)
                continue
            records = self._decode(batch, self.topic_partition.topic, self.topic_partition.partition)
            if records and records[0].offset < self.fetch_offset:
                records = [record for record in records if record.offset >= self.fetch_offset]
            if records:
                self._decoded, self._taken = records, 0
                return True
            self.next_fetch_offset = max(self.next_fetch_offset, self._after_decoded)
        self._decoded, self._taken = [], 0
        return False

    def _is_visible(self, batch: Any) -> bool:
        """Whether the batch holds committed records; follows the aborted transactions along the log."""
        if batch.has_producer_id():
            while self._aborts and self._aborts[0].first_offset <= batch.last_offset:
                self._aborted_producers.add(self._aborts.popleft().producer_id)
            if batch.is_control_batch:
                if next(batch).abort:
                    self._aborted_producers.discard(batch.producer_id)
                return False
            return not (batch.is_transactional and batch.producer_id in self._aborted_producers)
        return not batch.is_control_batch


def decode_batch(batch: DefaultRecordBatch, topic: str, partition: int) -> list[Record]:
    """All records of a data batch, uncompressed first if need be."""
    iter(batch)  # uncompresses in place
    data = bytes(memoryview(batch._buffer)[batch._pos :])
    base = batch.base_offset
    first_timestamp = batch.first_timestamp
    append_timed = batch.timestamp_type == batch.LOG_APPEND_TIME
    append_time = batch.max_timestamp
    records: list[Record] = []
    append = records.append
    at = 0
    for _ in range(batch.records_count):
        # Zigzag varints, the one-byte form inline; a length is never negative but for a null.
        byte = data[at]
        if byte < 0x80:
            end = at + 1 + (byte >> 1)
            at += 1
        else:
            length, at = varint(data, at)
            end = at + length
        at += 1  # attributes
        delta = data[at]
        if delta < 0x80:
            delta = (delta >> 1) ^ -(delta & 1)
            at += 1
        else:
            delta, at = varint(data, at)
        byte = data[at]
        if byte < 0x80:
            offset = base + (byte >> 1)
            at += 1
        else:
            index, at = varint(data, at)
            offset = base + index
        byte = data[at]
        if byte < 0x80:
            length = (byte >> 1) ^ -(byte & 1)
            at += 1
        else:
            length, at = varint(data, at)
        key = None
        if length >= 0:
            key = data[at : at + length]
            at += length
        length, at = varint(data, at)
        value = None
        if length >= 0:
            value = data[at : at + length]
        append(
            Record(topic, partition, offset, append_time, key, value)
            if append_timed
            else Record(topic, partition, offset, first_timestamp + delta, key, value, False)
        )
        at = end  # past the headers
    if at != len(data):
        raise CorruptRecordError(f"The batch of {topic}-{partition} at offset {base} has {len(data) - at} stray bytes.")
    return records


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag number at a place, and the place after it."""
    byte = data[at]
    at += 1
    result = byte & 0x7F
    shift = 7
    while byte & 0x80:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        shift += 7
    return (result >> 1) ^ -(result & 1), at
