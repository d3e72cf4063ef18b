"""A record in, an event out; or the path of the field that is wrong."""

from typing import Any

import pytest

from features.events import Action, Payment
from tests.core.records import SMALLEST, Raw, decode, fault, to_json

# --- what comes out -----------------------------------------------------------------------------------------------


def test_smallest_transaction_has_five_fields() -> None:
    assert decode("transaction") == (
        "card-1",
        Payment(1_772_452_800_250, 7, "t1", 1050, "EUR", False, None, None, None, None),
    )


def test_transaction_keeps_what_the_features_need() -> None:
    _, event = decode(
        "transaction",
        merchant_id="m1",
        country="BR",
        device_id="d1",
        latitude=-23.5505,
        longitude=-46.6333,
        auth_result="declined",
    )
    assert event == Payment(1_772_452_800_250, 7, "t1", 1050, "EUR", True, "m1", "BR", "d1", (-23_550_500, -46_633_300))


def test_smallest_order_has_six_fields() -> None:
    assert decode("order") == (
        "user-1",
        Payment(1_772_452_800_000, 7, "o1", 5997, "USD", False, None, None, None, None),
    )


def test_order_takes_brand_as_merchant_and_user_agent_as_device() -> None:
    _, event = decode(
        "order",
        brand="Acme",
        device_info={"user_agent": "Firefox"},
        user_location={"country": "US", "latitude": 40.5, "longitude": -74},
    )
    assert (event.merchant, event.device, event.country, event.place) == (
        "Acme",
        "Firefox",
        "US",
        (40_500_000, -74_000_000),
    )


def test_smallest_click_has_five_fields() -> None:
    assert decode("clickstream") == ("user-1", Action(1_772_452_800_000, 7, "e1", "s1", "page_view", None, None, 0))


def test_half_a_place_is_no_place() -> None:
    assert decode("transaction", latitude=1.0)[1].place is None
    assert decode("order", user_location={"longitude": 1.0})[1].place is None


def test_unknown_fields_are_ignored() -> None:
    assert decode("transaction", colour={"of": ["the", {"card": None}]}) == decode("transaction")


@pytest.mark.parametrize(
    ("written", "time_ms"),
    [
        (1_772_452_800_250, 1_772_452_800_250),
        ("2026-03-02T12:00:00.250Z", 1_772_452_800_250),
        ("2026-03-02T09:00:00.25-03:00", 1_772_452_800_250),
        ("2026-03-02T12:00:00.250999Z", 1_772_452_800_250),
        ("2024-02-29T23:59:59.999+00:00", 1_709_251_199_999),
        (946_684_800_000, 946_684_800_000),
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_time_is_epoch_milliseconds_utc(written: object, time_ms: int) -> None:
    assert decode("transaction", event_time=written)[1].time_ms == time_ms


AMOUNTS = [
    ("transaction", "amount"),
    ("order", "price"),
    ("order", "discount_applied"),
]


@pytest.mark.parametrize(("group", "field"), AMOUNTS)
@pytest.mark.parametrize("text", ["0", "0.5", "1", "1.00", "0.1250000000000000000001", "5e-1", "1E+0", "-0"])
def test_amount_as_text_is_the_number_that_it_is_without_its_quotes(group: str, field: str, text: str) -> None:
    assert decode(group, **{field: text}) == decode(group, **{field: Raw(text)})


def test_digits_of_a_number_count_to_the_last() -> None:
    assert decode("transaction", amount=Raw("0.125"))[1].amount_minor == 12
    assert decode("transaction", amount=Raw("0.12500000000000000000000000000000001"))[1].amount_minor == 13


def test_discount_of_null_is_none() -> None:
    assert decode("order", discount_applied=None) == decode("order")


@pytest.mark.parametrize("address", ["134.100.189.44", "255.255.255.255", "2001:db8::1", "::ffff:1.2.3.4"])
def test_ip_address_is_of_either_version(address: str) -> None:
    assert decode("transaction", ip_address=address) == decode("transaction")


def test_ids_are_kept_as_they_are_written() -> None:
    assert decode("transaction", card_id=" Card é")[0] == " Card é"


# --- what is refused ------------------------------------------------------------------------------------------------

SCHEMA_FAULTS = [
    ("transaction", {"event_time": "2026-03-02T12:00:00"}, "$.event_time"),
    ("transaction", {"event_time": "yesterday"}, "$.event_time"),
    ("transaction", {"event_time": "2026-02-30T12:00:00Z"}, "$.event_time"),
    ("transaction", {"event_time": "1772452800000"}, "$.event_time"),
    ("transaction", {"event_time": 1.5}, "$.event_time"),
    ("transaction", {"event_time": True}, "$.event_time"),
    ("transaction", {"event_time": None}, "$.event_time"),
    ("transaction", {"event_time": -1}, "$.event_time"),
    ("transaction", {"event_time": 0}, "$.event_time"),
    ("transaction", {"event_time": 1_772_452_800}, "$.event_time"),  # seconds
    ("transaction", {"event_time": 1_772_452_800_000_000}, "$.event_time"),  # microseconds
    ("transaction", {"event_time": "1999-12-31T23:59:59.999Z"}, "$.event_time"),
    ("transaction", {"event_time": 253_402_300_800_000}, "$.event_time"),
    ("transaction", {"event_time": Raw("9" * 30)}, "$.event_time"),
    ("transaction", {"event_time": Raw("9" * 5_000)}, "$.event_time"),
    ("transaction", {"event_time": "0001-01-01T00:00:00+14:00"}, "$.event_time"),
    ("transaction", {"event_time": "9999-12-31T23:59:59-14:00"}, "$.event_time"),
    ("transaction", {"transaction_id": ""}, "$.transaction_id"),
    ("transaction", {"transaction_id": "x" * 129}, "$.transaction_id"),
    ("transaction", {"transaction_id": "t\n1"}, "$.transaction_id"),
    ("transaction", {"transaction_id": 1}, "$.transaction_id"),
    ("transaction", {"card_id": "card\u0000"}, "$.card_id"),
    ("transaction", {"card_id": "\u202etxet"}, "$.card_id"),
    ("transaction", {"card_id": None}, "$.card_id"),
    ("transaction", {"card_id": "   "}, "$.card_id"),
    ("transaction", {"card_id": "cafe\u0301"}, "$.card_id"),
    ("transaction", {"transaction_id": " "}, "$.transaction_id"),
    ("transaction", {"transaction_id": "a\u030a"}, "$.transaction_id"),
    ("transaction", {"amount": -0.01}, "$.amount"),
    ("transaction", {"amount": 1_000_000_000_001}, "$.amount"),
    ("transaction", {"amount": "NaN"}, "$.amount"),
    ("transaction", {"amount": "sNaN"}, "$.amount"),
    ("transaction", {"amount": "-Infinity"}, "$.amount"),
    ("transaction", {"amount": "much"}, "$.amount"),
    ("transaction", {"amount": True}, "$.amount"),
    ("transaction", {"amount": None}, "$.amount"),
    ("transaction", {"amount": Raw("1e999999")}, "$.amount"),
    ("transaction", {"amount": Raw("1e99999999999999999999")}, "$.amount"),
    ("transaction", {"amount": Raw("9" * 100_000)}, "$.amount"),
    ("transaction", {"currency": "eur"}, "$.currency"),
    ("transaction", {"currency": "EURO"}, "$.currency"),
    ("transaction", {"currency": "ÄÖÜ"}, "$.currency"),
    ("transaction", {"currency": "E1R"}, "$.currency"),
    ("transaction", {"country": "br"}, "$.country"),
    ("transaction", {"country": "BRA"}, "$.country"),
    ("transaction", {"latitude": 91}, "$.latitude"),
    ("transaction", {"latitude": -90.000001}, "$.latitude"),
    ("transaction", {"latitude": Raw("1e400")}, "$.latitude"),
    ("transaction", {"latitude": "45"}, "$.latitude"),
    ("transaction", {"latitude": True}, "$.latitude"),
    ("transaction", {"longitude": 180.1}, "$.longitude"),
    ("transaction", {"mcc_code": 10_000}, "$.mcc_code"),
    ("transaction", {"mcc_code": 0}, "$.mcc_code"),
    ("transaction", {"account_age_days": -1}, "$.account_age_days"),
    ("transaction", {"account_age_days": 10**25}, "$.account_age_days"),
    ("transaction", {"merchant_id": "x" * 129}, "$.merchant_id"),
    ("transaction", {"device_id": "x" * 129}, "$.device_id"),
    ("transaction", {"card_last4": "123"}, "$.card_last4"),
    ("transaction", {"card_last4": "12a4"}, "$.card_last4"),
    ("transaction", {"card_last4": "١٢٣٤"}, "$.card_last4"),
    ("transaction", {"card_last4": "123\n"}, "$.card_last4"),
    ("transaction", {"ip_address": "somewhere"}, "$.ip_address"),
    ("transaction", {"ip_address": "1.2.3.256"}, "$.ip_address"),
    ("transaction", {"ip_address": "1.2.3.4\n"}, "$.ip_address"),
    ("transaction", {"ip_address": ""}, "$.ip_address"),
    ("transaction", {"mcc_code": "5411"}, "$.mcc_code"),
    ("transaction", {"channel": "carrier pigeon"}, "$.channel"),
    ("transaction", {"auth_result": "perhaps"}, "$.auth_result"),
    ("transaction", {"card_present": 1}, "$.card_present"),
    ("transaction", {"label_fraud": 2}, "$.label_fraud"),
    ("transaction", {"city": "x" * 1_025}, "$.city"),
    ("order", {"quantity": 0}, "$.quantity"),
    ("order", {"quantity": 1.5}, "$.quantity"),
    ("order", {"quantity": True}, "$.quantity"),
    ("order", {"price": -1}, "$.price"),
    ("order", {"price": Raw("1e12"), "quantity": 2}, "$.price"),
    ("order", {"price": Raw("0." + "1" * 101)}, "$.price"),
    ("order", {"discount_applied": 1.01}, "$.discount_applied"),
    ("order", {"discount_applied": -0.1}, "$.discount_applied"),
    ("order", {"discount_applied": "NaN"}, "$.discount_applied"),
    ("order", {"discount_applied": ""}, "$.discount_applied"),
    ("order", {"discount_applied": False}, "$.discount_applied"),
    ("order", {"discount_applied": Raw("1e-999999")}, "$.price"),
    ("order", {"user_location": {"latitude": 91}}, "$.user_location.latitude"),
    ("order", {"user_location": {"country": "Canada"}}, "$.user_location.country"),
    ("order", {"user_location": {"country": "uk"}}, "$.user_location.country"),
    ("order", {"user_location": "here"}, "$.user_location"),
    ("order", {"device_info": {"os": 11}}, "$.device_info.os"),
    ("order", {"timestamp": "noon"}, "$.timestamp"),
    ("order", {"user_id": "\t"}, "$.user_id"),
    ("clickstream", {"event_type": "scroll"}, "$.event_type"),
    ("clickstream", {"dwell_ms": -1}, "$.dwell_ms"),
    ("clickstream", {"dwell_ms": 86_400_001}, "$.dwell_ms"),
    ("clickstream", {"session_id": ""}, "$.session_id"),
    ("clickstream", {"session_id": " "}, "$.session_id"),
    ("clickstream", {"session_id": "s\u0000"}, "$.session_id"),
    ("clickstream", {"event_id": "\u2028"}, "$.event_id"),
]


@pytest.mark.parametrize(
    ("group", "fields", "path"), SCHEMA_FAULTS, ids=[f"{g}-{str(f)[:40]}" for g, f, _ in SCHEMA_FAULTS]
)
def test_wrong_field_is_a_schema_fault_with_its_path(group: str, fields: dict[str, Any], path: str) -> None:
    reason, detail = fault(group, to_json(SMALLEST[group] | fields))
    assert (reason, detail.rpartition(" - at ")[2]) == ("schema", f"`{path}`")


@pytest.mark.parametrize(("group", "field"), AMOUNTS)
@pytest.mark.parametrize(
    "text",
    ["1_0", " 1 ", "1 ", "+1", "1\n", "\n1", "01", ".5", "1.", "１", "٣", "१", "1,0", "0x1", "1e", "", " ", "1\u0000"],
)
def test_text_that_is_no_number_of_json_is_no_amount(group: str, field: str, text: str) -> None:
    reason, detail = fault(group, to_json(SMALLEST[group] | {field: text}))
    assert (reason, detail) == ("schema", f"Expected text to be written as a JSON number - at `$.{field}`")


@pytest.mark.parametrize(("group", "field"), [(group, field) for group in SMALLEST for field in SMALLEST[group]])
def test_missing_field_is_a_schema_fault_that_names_it(group: str, field: str) -> None:
    record = {name: value for name, value in SMALLEST[group].items() if name != field}
    assert fault(group, to_json(record)) == ("schema", f"Object missing required field `{field}`")


@pytest.mark.parametrize("value", [b"[]", b'"text"', b"17", b"null", b"true"])
def test_json_that_is_no_object_is_a_schema_fault(value: bytes) -> None:
    assert fault("transaction", value)[0] == "schema"
