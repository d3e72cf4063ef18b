"""Bytes that are no record: what is no JSON text, is nested too deep, or is anything at all."""

import timeit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.records import SMALLEST, TRANSACTION, WIRE_TYPES, Raw, decode, fault, to_json
from tests.reference import GROUPS
from twinstream.core.decoding import MAX_DETAIL, MAX_NESTING, _too_deep
from twinstream.core.rejection import Rejected

RECORD = to_json(TRANSACTION)
MALFORMED = {
    "nothing": None,
    "empty": b"",
    "blank": b" \n",
    "text": b"hello",
    "cut off": RECORD[:-1],
    "more after it": RECORD + b"}",
    "two records": RECORD + RECORD,
    "NaN": to_json(TRANSACTION | {"amount": Raw("NaN")}),
    "Infinity": to_json(TRANSACTION | {"amount": Raw("Infinity")}),
    "-Infinity": to_json(TRANSACTION | {"amount": Raw("-Infinity")}),
    "NaN in an unread field": to_json(TRANSACTION | {"unread": Raw("NaN")}),
    "leading zero": to_json(TRANSACTION | {"amount": Raw("01")}),
    "control character in a string": to_json(TRANSACTION | {"card_id": Raw('"a\nb"')}),
    "lone surrogate": to_json(TRANSACTION | {"card_id": Raw('"\\ud800"')}),
    "wrong UTF-8": RECORD.replace(b"card-1", b"card\xff"),
    "wrong UTF-8 in an unread field": to_json(TRANSACTION | {"unread": "?"}).replace(b"?", b"\xff"),
    "wrong UTF-8 in an unread name": to_json(TRANSACTION | {"?": 1}).replace(b"?", b"\xc3"),
    "surrogate in UTF-8": to_json(TRANSACTION | {"unread": "?"}).replace(b"?", b"\xed\xa0\x80"),
    "UTF-16": RECORD.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + RECORD,
    "avro": b"\x00\x00\x00\x00\x01\x0ccard-1",
    "65 arrays": to_json(TRANSACTION | {"unread": Raw("[" * 64 + "]" * 64)}),
    "cut off after a wrong field": to_json(TRANSACTION | {"latitude": 91, "unread": "?"})[:-1],
    "cut off after an unknown type": to_json({"amount": 1} | {"event_time": [], "unread": "?"})[:-5],
    "NaN after a wrong field": to_json(TRANSACTION | {"latitude": 91, "unread": Raw("NaN")}),
    "more after a record that lacks a field": b"{}{}",
    "more after a number": b"17 18",
    "100 000 open arrays": b"[" * 100_000,
    "100 000 open objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_json_text_is_malformed(value: bytes | None) -> None:
    assert fault("transaction", value)[0] == "malformed"


def test_64_levels_are_not_too_deep() -> None:
    assert decode("transaction", unread=Raw("[" * 63 + "]" * 63)) == decode("transaction")


def test_brackets_inside_strings_are_no_levels() -> None:
    assert decode("transaction", unread='\\"[{' * 1_000) == decode("transaction")


@given(st.lists(st.sampled_from(["[", "]", "{", "}", '"', "\\", "\\\\", '\\"', "a", "\n"]), max_size=120).map("".join))
@example('"' + "[" * 100)
@example('"\\')
def test_the_depth_is_that_of_a_reader_of_one_byte_after_the_other(text: str) -> None:
    value = ("[" * 60 + text).encode()
    depth = deepest = 0
    in_string = escaped = False
    for character in value.decode():
        if in_string:
            in_string = escaped or character != '"'
            escaped = not escaped and character == "\\"
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    assert _too_deep(value) == (deepest > MAX_NESTING)


def test_a_record_of_a_hundred_objects_costs_no_multiple_of_one_of_sixty() -> None:
    """All in fields that nothing reads. Byte by byte in Python the hundred took 35 times as long."""

    def fastest(objects: int) -> float:
        value = to_json(TRANSACTION | {"unread": [{"name": "thing", "price": 1} for _ in range(objects)]})
        return min(timeit.repeat(lambda: GROUPS["transaction"].decode(value, 0), number=10, repeat=50))

    assert fastest(100) < 10 * fastest(60)


def test_detail_of_a_huge_wrong_value_is_short_and_keeps_its_path() -> None:
    _, detail = fault("transaction", to_json(TRANSACTION | {"channel": "w" * 900_000}))
    assert len(detail) <= MAX_DETAIL + 1
    assert detail.endswith("- at `$.channel`")


def test_detail_is_the_same_every_time() -> None:
    assert {fault("transaction", b"{") for _ in range(5)} == {fault("transaction", b"{")}


@given(st.binary(max_size=200))
@example(b'{"transaction_id":"t","event_time":1,"card_id":"c","amount":1,"currency":"EUR"')
def test_any_bytes_are_decoded_or_refused_but_never_raise_otherwise(value: bytes) -> None:
    for group in GROUPS.values():
        with pytest.raises(Rejected):
            group.decode(value, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(SMALLEST)), st.data())
def test_any_value_in_any_field_is_decoded_or_refused_with_a_reason(group: str, data: st.DataObject) -> None:
    names = st.sampled_from(WIRE_TYPES[group].__struct_fields__)
    fields = data.draw(st.dictionaries(names, json_values, max_size=3))
    try:
        reason = "" if decode(group, **fields)[0].isprintable() else "garbled entity"
    except Rejected as rejected:
        reason = rejected.reason
    assert reason in ("", "malformed", "schema")
