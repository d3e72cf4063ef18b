"""Decoding the rows of our own topics: anybody can write to a topic, so that they may be something else."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from twinstream.core.dead_letters import DeadLetter
from twinstream.errors import UserError
from twinstream.log.kafka import Record

R = TypeVar("R", bound=msgspec.Struct)

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises on bytes that are no JSON, no UTF-8, or nested too deep."""


def row_decoder(kind: type[R], what: str) -> Callable[[Record], R]:
    """What decodes a row.

    Args:
        kind: its type.
        what: how a person calls it.

    Returns:
        A function of the Kafka record; it raises UserError, naming the record, when that is something else.
    """
    decode = msgspec.json.Decoder(kind).decode

    def decode_row(record: Record) -> R:
        value = record.value or b""
        try:
            return decode(value)
        except UNDECODABLE as fault:
            place = f"{record.topic}-{record.partition}@{record.offset}"
            raise UserError(f"{place} is no {what}, something else wrote it: {short(value)} ({fault})") from None

    return decode_row


def short(value: bytes) -> str:
    """A row for a person, not more than a few lines of it."""
    text = value.decode(errors="replace")
    return text if len(text) <= 200 else f"{text[:200]}… ({len(value)} bytes)"


decode_letter = row_decoder(DeadLetter, "dead letter")
