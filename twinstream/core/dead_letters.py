"""The envelope of a dead letter: why the record was set aside, where it stood, and its bytes as they came."""

import msgspec

from twinstream.core.rejection import Reason


class DeadLetter(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A record that became no feature update, in the groups that refused it so.

    Attributes:
        reason: the check that refused it.
        detail: what exactly was wrong.
        topic, partition, offset: its place in the source log.
        timestamp: when it was appended there, epoch ms.
        watermark: of its partition when it arrived, epoch ms; null before any record had been accepted.
        lateness_ms: how much older than the watermark its event time is, negative when newer; null when either is
            not known.
        key, value: its bytes (base64 in JSON); null where the record had none.
    """

    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    watermark: int | None
    lateness_ms: int | None
    key: bytes | None
    value: bytes | None


encode_dead_letter = msgspec.json.Encoder().encode
"""A dead letter as the JSON bytes that go into the dead letter topic."""


def decode_dead_letter(value: bytes) -> DeadLetter:
    """The dead letter from its JSON."""
    return _decoder.decode(value)


_decoder = msgspec.json.Decoder(DeadLetter)
