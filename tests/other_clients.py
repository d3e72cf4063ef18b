"""Record batches as other clients of Kafka compress them, where that differs from what kafka-python writes.

Java and Go write zstd as a stream, without the content's size in front; librdkafka writes snappy as one bare block,
and lz4 in frames without the size.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import lz4.frame
import zstandard
from kafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from kafka.record import default_records

Encode = Callable[[bytes], bytes]


def _gzip_stream(payload: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH) + packer.flush()


def _zstd_stream(payload: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(payload) + packer.flush()


def _lz4_blocks(payload: bytes) -> bytes:
    size: int = lz4.frame.BLOCKSIZE_MAX64KB
    frame: bytes = lz4.frame.compress(payload, size, block_linked=False, store_size=False, block_checksum=True)
    return frame


ENCODINGS: dict[str, tuple[str, Encode]] = {
    "gzip": ("gzip", gzip_encode),
    "gzip as a stream": ("gzip", _gzip_stream),
    "snappy": ("snappy", snappy_encode),
    "snappy as one block": ("snappy", lambda payload: bytes(snappy_encode(payload, xerial_compatible=False))),
    "lz4": ("lz4", lz4_encode),
    "lz4 in blocks of 64 KiB": ("lz4", _lz4_blocks),
    "zstd": ("zstd", zstd_encode),
    "zstd as a stream": ("zstd", _zstd_stream),
}
"""By what it is: the codec, as Kafka calls it, and the bytes that a client makes of a batch's records."""


@contextmanager
def compressing(encoding: str) -> Iterator[str]:
    """Have kafka-python compress batches in one of the encodings while the block runs; gives the codec's name."""
    codec, encode = ENCODINGS[encoding]
    with patch.object(default_records, f"{codec}_encode", encode):
        yield codec
