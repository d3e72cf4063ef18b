"""What is written: feature records, fields of a Redis hash, dead letters."""

import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_state import state_of
from tests.features.events import MIDDAY_MS, action, as_dict, payment
from tests.reference import GROUPS
from twinstream.core.dead_letters import DeadLetter, decode_dead_letter, encode_dead_letter
from twinstream.core.rejection import REASONS
from twinstream.core.vectors import FeatureRecord, decode_feature_record, encode_feature_record, hash_lines, readable

VECTOR = state_of(payment(currency="KWD", amount_minor=12_345)).newest_vector()
RECORD = FeatureRecord(
    group="order",
    version=1,
    entity="user-1",
    event_id="t0",
    event_time=MIDDAY_MS,
    topic="orders",
    partition=3,
    offset=0,
    timestamp=MIDDAY_MS + 5,
    features=VECTOR,
)


def letter(**fields: object) -> DeadLetter:
    plain = DeadLetter(
        reason="late",
        detail="1 ms older than the watermark",
        topic="orders",
        partition=3,
        offset=17,
        timestamp=MIDDAY_MS,
        watermark=MIDDAY_MS - 30_000,
        lateness_ms=1,
        key=b"user-1",
        value=b"\xff\x00",
    )
    return msgspec.structs.replace(plain, **fields)


def test_feature_record_is_json_with_the_features_in_catalog_order() -> None:
    written = json.loads(encode_feature_record(RECORD))
    assert list(written) == [
        "group", "version", "entity", "event_id", "event_time", "topic", "partition", "offset", "timestamp", "features",
    ]  # fmt: skip
    assert list(written["features"]) == [feature.name for feature in GROUPS["order"].features]
    assert written["features"]["amount_sum"] == 12.345


def test_feature_record_comes_back() -> None:
    back = decode_feature_record(encode_feature_record(RECORD))
    assert msgspec.structs.replace(back, features=None) == msgspec.structs.replace(RECORD, features=None)
    assert back.features == as_dict(VECTOR)


def test_equal_vectors_give_equal_bytes() -> None:
    assert encode_feature_record(RECORD) == encode_feature_record(msgspec.structs.replace(RECORD))


def hash_of(group: str, vector: msgspec.Struct) -> dict[str, bytes]:
    return dict(zip(GROUPS[group].names, hash_lines(GROUPS[group], vector).splitlines(), strict=True))


def test_hash_has_every_feature_by_name_readable_by_a_person() -> None:
    fields = hash_of("order", VECTOR)
    assert (fields["txn_count"], fields["amount_sum"], fields["max_speed_kmh"]) == (b"1", b"12.345", b"null")
    assert fields["window_truncated"] == b"false"


def test_hash_names_the_risk_reasons_with_commas() -> None:
    night = MIDDAY_MS - 10 * 3_600_000
    events = [payment(night, 0, country="BR"), payment(night, 1, country="US")]
    fields = hash_of("transaction", state_of(*events, group="transaction").newest_vector())
    assert fields["risk_reasons"] == b"several_countries,unusual_hour"
    assert fields["window_truncated"] == b"false"


def test_hash_of_clicks_is_readable_too() -> None:
    fields = hash_of("clickstream", state_of(action(), group="clickstream").newest_vector())
    assert (fields["is_bounce"], fields["view_to_cart_rate"]) == (b"true", b"null")


@pytest.mark.parametrize("group", GROUPS)
def test_a_value_reads_the_same_alone_and_in_the_hash(group: str) -> None:
    vector = state_of(action() if group == "clickstream" else payment(MIDDAY_MS, 0), group=group).newest_vector()
    alone = {name: readable(getattr(vector, name)).encode() for name in GROUPS[group].names}
    assert hash_of(group, vector) == alone


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_the_same_in_redis_and_in_the_feature_log(number: float) -> None:
    assert float(readable(number)) == number == msgspec.json.decode(msgspec.json.encode(number))


@pytest.mark.parametrize("reason", REASONS)
def test_dead_letter_comes_back_bytes_and_all(reason: str) -> None:
    sent = letter(reason=reason)
    assert decode_dead_letter(encode_dead_letter(sent)) == sent


def test_dead_letter_of_nothing_comes_back() -> None:
    sent = letter(key=None, value=None, watermark=None, lateness_ms=None)
    assert decode_dead_letter(encode_dead_letter(sent)) == sent


def test_empty_value_and_no_value_are_told_apart() -> None:
    assert decode_dead_letter(encode_dead_letter(letter(value=b""))).value == b""
    assert decode_dead_letter(encode_dead_letter(letter(value=None))).value is None


def test_dead_letter_is_json_with_base64_for_the_bytes() -> None:
    written = json.loads(encode_dead_letter(letter()))
    assert base64.b64decode(written["value"]) == b"\xff\x00"
    assert base64.b64decode(written["key"]) == b"user-1"


def test_dead_letter_of_the_largest_record_fits_1_4_times_its_size() -> None:
    size = 1_048_576
    assert len(encode_dead_letter(letter(value=b"\xff" * size, detail="x" * 300))) < 1.4 * size


def test_dead_letter_of_an_unknown_reason_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="reason"):
        decode_dead_letter(encode_dead_letter(letter()).replace(b'"late"', b'"bored"'))
