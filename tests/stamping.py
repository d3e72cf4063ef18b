"""Giving the records of a real broker timestamps that it seems to have set itself.

A broker stamps with its own clock what it appends to a topic with LogAppendTime, and keeps given timestamps only where
they are the producers'. Cases whose Kafka timestamps matter send their records with given ones, one record a batch, and
then mark the batches in the broker's files as it would have: a flag, and a new checksum.
"""

import struct
from collections.abc import Collection
from pathlib import Path

from kafka.record.util import calc_crc32c

HEAD = struct.Struct(">qiibIhiqq")
"""Of a record batch: base offset, length after it, leader epoch, magic, checksum, attributes, last offset delta, first
and largest timestamp."""

BEFORE_LENGTH_ENDS = 12
CHECKED_FROM = 21
LOG_APPEND_TIME = 8


def mark_as_appended(broker: Path, topic: str, partitions: Collection[int]) -> int:
    """Mark every batch of some partitions of a topic as stamped by the broker, and return how many there are.

    Args:
        broker: the folder of its data.
        topic: whose records came one in a batch.
        partitions: their numbers.
    """
    marked = 0
    for number in partitions:
        (file,) = broker.rglob(f"{topic}-{number}/*.log")
        data = bytearray(file.read_bytes())
        at = 0
        while at < len(data):
            base, length, epoch, magic, _, attributes, last, _, largest = HEAD.unpack_from(data, at)
            assert last == 0, "a batch of several records has one timestamp only"
            end = at + BEFORE_LENGTH_ENDS + length
            flags = attributes | LOG_APPEND_TIME
            HEAD.pack_into(data, at, base, length, epoch, magic, 0, flags, last, largest, largest)
            struct.pack_into(">I", data, at + 17, calc_crc32c(bytes(data[at + CHECKED_FROM : end])))
            at, marked = end, marked + 1
        with file.open("r+b") as opened:  # in place: the broker has the file open
            opened.write(data)
    return marked
