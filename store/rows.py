"""Rows of the topics that we write: feature records, dead letters, notes. What somebody else has put there is named."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from runtime.errors import UserError
from store.comparing import UNDECODABLE, short

T = TypeVar("T")


def row_decoder(kind: type[T], what: str) -> Callable[[bytes | None], T]:
    """A function from a record's value to a row.

    Args:
        kind: of the row.
        what: it is called in messages.
    """
    decode = msgspec.json.Decoder(kind).decode

    def decode_row(value: bytes | None) -> T:
        """The row.

        Raises:
            UserError: the record is no such row.
        """
        try:
            return decode(value or b"")
        except UNDECODABLE as fault:
            raise UserError(
                f"Not {what}: {short(value or b'')} ({fault}). Something else has written to our topic."
            ) from None

    return decode_row
