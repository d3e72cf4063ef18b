"""Record batches, written and read here: each against kafka-python's own reader and writer."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition as ClientPartition
from kafka.codec import has_gzip, has_lz4, has_snappy, has_zstd
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from tests.other_clients import ENCODINGS, compressing
from tests.properties import tries
from twinstream.log.kafka.batch_decoder import FetchedRecords, decode_batch
from twinstream.log.kafka.batch_encoder import BatchBuffer, zigzag_varint
from twinstream.log.kafka.transactions import HEADER_BYTES, _finished_batch

PARTITION = ClientPartition("topic", 3)
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
NUMBERS = {"gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
CODECS = [
    0,
    *(code for code, there in ((GZIP, has_gzip), (SNAPPY, has_snappy), (LZ4, has_lz4), (ZSTD, has_zstd)) if there()),
]

keys = st.none() | st.binary(max_size=200)
values = st.none() | st.binary(max_size=9_000)
lines = st.lists(st.tuples(keys, values), min_size=1, max_size=100)


def batch(
    records: list[tuple[bytes | None, bytes | None]],
    *,
    base_offset: int = 0,
    compression: int = 0,
    producer: int = -1,
    timestamps: list[int] | None = None,
    headers: list[tuple[str, bytes]] | None = None,
) -> bytes:
    """A batch as kafka-python writes it, at an offset as the broker would set it."""
    builder = MemoryRecordsBuilder(2, compression, 1 << 26)
    for index, (key, value) in enumerate(records):
        builder.append(1_000 + index if timestamps is None else timestamps[index], key, value, headers or [])
    if producer >= 0:
        builder.set_producer_state(producer, 0, 0, True)
    builder.close()
    data = bytes(builder.buffer())
    return struct.pack(">q", base_offset) + data[8:]


def marker(producer: int, offset: int, commit: bool) -> bytes:
    """A transaction marker: a control batch of one record."""
    data = bytearray(batch([(struct.pack(">hh", 0, int(commit)), struct.pack(">hi", 0, 0))], base_offset=offset))
    struct.pack_into(">h", data, 21, 0x30)  # attributes: transactional, control
    struct.pack_into(">q", data, 43, producer)
    return bytes(data)


class Aborted:
    def __init__(self, producer_id: int, first_offset: int) -> None:
        self.producer_id, self.first_offset = producer_id, first_offset


def fetched(data: bytes, offset: int = 0, aborted: list[Aborted] | None = None, check: bool = False) -> FetchedRecords:
    return FetchedRecords(
        offset,
        PARTITION,
        MemoryRecords(data),
        check_crcs=check,
        aborted_transactions=aborted,
        on_drain=lambda _: None,
    )


@tries(50)
@given(st.lists(st.tuples(keys, st.binary(max_size=9_000)), min_size=1, max_size=100), st.sampled_from(CODECS))
def test_written_batch_is_what_the_client_reads(records: list[tuple[bytes | None, bytes]], compression: int) -> None:
    buffer = BatchBuffer(HEADER_BYTES)
    for key, value in records:
        buffer.append(key, value)
    written = _finished_batch(PARTITION, buffer, compression)
    written.records.set_producer_state(7, 1, 0, True)
    written.records.close()
    (read,) = MemoryRecords(bytes(written.records.buffer()))
    assert read.validate_crc()
    assert (read.is_transactional, read.producer_id, read.records_count) == (True, 7, len(records))
    content = [(record.offset, record.key, record.value, record.headers) for record in read]
    assert content == [(index, key, value, []) for index, (key, value) in enumerate(records)]


@tries(50)
@given(lines, st.integers(0, 1 << 40), st.sampled_from(CODECS), st.booleans(), st.data())
def test_read_batch_is_what_the_client_wrote(
    records: list[tuple[bytes | None, bytes | None]], base: int, compression: int, headed: bool, data: st.DataObject
) -> None:
    times = data.draw(
        st.lists(st.integers(0, 1 << 42), min_size=len(records), max_size=len(records)), label="timestamps"
    )
    headers = [("name", b"value"), ("other", b"")] if headed else None
    written = batch(records, base_offset=base, compression=compression, timestamps=times, headers=headers)
    read = decode_batch(MemoryRecords(written).next_batch(), "topic", 3)
    assert [(record.topic, record.partition) for record in read] == [("topic", 3)] * len(records)
    assert [record.offset for record in read] == [base + index for index in range(len(records))]
    assert [record.timestamp for record in read] == times
    assert [(record.key, record.value) for record in read] == records


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_batches_of_other_clients_are_read(encoding: str) -> None:
    records = [(b"key", b"value" * number * 1_000) for number in range(1, 100)]
    with compressing(encoding) as codec:
        written = batch(records, compression=NUMBERS[codec])
    read = decode_batch(MemoryRecords(written).next_batch(), "topic", 3)
    assert [(record.key, record.value) for record in read] == records


@pytest.mark.parametrize("number", [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, 1 << 20, (1 << 31) - 1])
def test_varints_are_the_clients_own(number: int) -> None:
    from kafka.record.util import decode_varint

    encoded = zigzag_varint(number)
    assert decode_varint(bytearray(encoded), 0) == (number, len(encoded))


def test_log_append_time_is_the_time_of_the_whole_batch() -> None:
    data = bytearray(batch([(b"k", b"v")] * 3))
    struct.pack_into(">h", data, 21, 0x08)
    struct.pack_into(">q", data, 35, 77_000)
    assert [record.timestamp for record in decode_batch(MemoryRecords(bytes(data)).next_batch(), "topic", 3)] == [
        77_000
    ] * 3


def test_records_below_the_wanted_offset_are_left_out() -> None:
    part = fetched(batch([(b"k", b"%d" % n) for n in range(10)], base_offset=100), offset=104)
    assert [record.offset for record in part.take(4)] == [104, 105, 106, 107]
    assert part.next_fetch_offset == 108
    assert [record.offset for record in part.take(9)] == [108, 109]
    assert (part.next_fetch_offset, bool(part)) == (110, False)


def test_position_steps_over_the_markers_that_follow() -> None:
    data = batch([(b"k", b"v")] * 2, producer=7) + marker(7, 2, commit=True) + marker(8, 3, commit=False)
    part = fetched(data)
    assert len(part.take(2)) == 2
    assert (part.next_fetch_offset, bool(part)) == (4, False)


def test_aborted_transactions_are_left_out_and_later_ones_of_the_same_producer_are_not() -> None:
    data = b"".join(
        [
            batch([(b"k", b"aborted")] * 2, base_offset=0, producer=7),
            batch([(b"k", b"other")], base_offset=2, producer=8),
            marker(7, 3, commit=False),
            marker(8, 4, commit=True),
            batch([(b"k", b"later")], base_offset=5, producer=7),
            marker(7, 6, commit=True),
            batch([(b"k", b"aborted again")], base_offset=7, producer=7),
            marker(7, 8, commit=False),
        ]
    )
    part = fetched(data, aborted=[Aborted(7, 7), Aborted(7, 0)])
    assert [(record.offset, record.value) for record in part.take(100)] == [(2, b"other"), (5, b"later")]
    assert (part.next_fetch_offset, bool(part)) == (9, False)


def test_good_batches_before_a_damaged_one_are_delivered_first() -> None:
    damaged = bytearray(batch([(b"k", b"value")], base_offset=2))
    damaged[-2] ^= 1
    part = fetched(batch([(b"k", b"v")] * 2) + bytes(damaged), check=True)
    assert len(part.take(2)) == 2
    assert part.next_fetch_offset == 2
    with pytest.raises(CorruptRecordError):
        part.take(1)


def test_damaged_first_batch_is_an_error_at_once() -> None:
    damaged = bytearray(batch([(b"k", b"value")]))
    damaged[-2] ^= 1
    with pytest.raises(CorruptRecordError):
        fetched(bytes(damaged), check=True).take(1)


def test_drained_records_are_reported_once() -> None:
    drained: list[Any] = []
    part = FetchedRecords(0, PARTITION, MemoryRecords(batch([(b"k", b"v")])), check_crcs=False, on_drain=drained.append)
    assert len(part.take(5)) == 1
    part.drain()
    assert drained == [part]
