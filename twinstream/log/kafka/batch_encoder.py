"""Kafka's record batch (format 2) from keys and values, written straight into one buffer.

kafka-python's `send` costs several times what the bytes themselves do: locks, futures and checks for every record. A
transaction needs one outcome for all its records, so here a record is a few lines, and the client sees whole batches.
"""

_TWO_BYTES = 1 << 13


def zigzag_varint(number: int) -> bytes:
    """A signed integer the way Kafka's records store it.

    >>> zigzag_varint(-1), zigzag_varint(64)
    (b'\\x01', b'\\x80\\x01')
    """
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(0x80 | (rest & 0x7F))
        rest >>= 7
    out.append(rest)
    return bytes(out)


_VARINTS = [zigzag_varint(number) for number in range(_TWO_BYTES)]
_NULL = zigzag_varint(-1)


def length_varint(number: int) -> bytes:
    """`zigzag_varint` of a length or an index: looked up when small."""
    return _VARINTS[number] if number < _TWO_BYTES else zigzag_varint(number)


class BatchBuffer:
    """Records of one partition, encoded one after the other; all carry the batch's timestamp.

    `header_bytes` are left free at the front for the batch header.
    """

    __slots__ = ("buffer", "count", "largest")

    def __init__(self, header_bytes: int) -> None:
        self.buffer = bytearray(header_bytes)
        self.count = 0
        self.largest = 0

    def append(self, key: bytes | None, value: bytes) -> None:
        """Add a record."""
        varints = _VARINTS
        count = self.count
        index = varints[count] if count < _TWO_BYTES else zigzag_varint(count)
        size = len(value)
        value_length = varints[size] if size < _TWO_BYTES else zigzag_varint(size)
        # attributes, timestamp delta, offset delta, key, value, number of headers
        if key is None:
            body = b"\x00\x00%b%b%b%b\x00" % (index, _NULL, value_length, value)
        else:
            body = b"\x00\x00%b%b%b%b%b\x00" % (index, length_varint(len(key)), key, value_length, value)
        size = len(body)
        if size > self.largest:
            self.largest = size
        buffer = self.buffer
        buffer += varints[size] if size < _TWO_BYTES else zigzag_varint(size)
        buffer += body
        self.count = count + 1
