"""The schemas as data, and the check of records against them: it agrees with the feature engine on every value."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from features.events import Click, Order, Transaction
from producers.profiles import PROFILES, make_profile
from producers.schema import Field, load_schema
from tests.producers.conftest import ROOT, START_MS
from tests.reference import BY_TOPIC
from twinstream.core.rejection import Rejected

WIRE = {"transaction": Transaction, "order": Order, "click": Click}
ABSENT = object()

ANY_FIELD = (
    *(ABSENT, None, True, False, 0, 1, -1, 7, 1.0, 1.5, -0.5, 1e300, 10**25, [], {}, [1], {"a": 1}),
    *(
        "",
        " ",
        "a",
        "A",
        "AB",
        "ABC",
        "BR",
        "\u00c4\u00d6",
        "12",
        "1234",
        "\u0661\u0662\u0663\u0664",
        "1_000",
        "+1",
        "NaN",
        "0.5",
    ),
    *(
        "a\nb",
        "card\n",
        "cafe\u0301",
        "caf\u00e9",
        "\u202e",
        "\u00a0",
        "1.2.3.4",
        "1.2.3.400",
        "::1",
        "nowhere",
        "visa",
        "pos",
    ),
    *("2026-03-02T12:00:00Z", "2026-03-02T12:00:00", "1999-12-31T23:59:59.999Z", 946_684_799_999, 946_684_800_000),
    *(253_402_300_799_999, 253_402_300_800_000, 1_772_452_800, "approved", "purchase", "x" * 2_000),
)
"""Values that some field takes and others do not."""


def probes(field: Field) -> Iterator[Any]:
    """Values at the edges of what the field's schema allows, and all that any field might get."""
    yield from ANY_FIELD
    yield field.example
    yield from field.values
    yield from field.generated.values
    for bound in (field.minimum, field.maximum):
        if bound is not None:
            for value in (bound - 1, bound - 1e-3, bound, bound + 1e-3, bound + 1):
                yield value
                if value == int(value):
                    yield int(value)
                    yield str(int(value))
    for length in (field.min_length, field.max_length, 128 if field.type == "id" else None):
        if length is not None:
            yield from ("x" * (length - 1), "x" * length, "x" * (length + 1), "1" * length, "\u20ac" * length)


def engine_accepts(topic: str, record: dict[str, Any]) -> bool:
    reason = None
    try:
        BY_TOPIC[topic].decode(json.dumps(record).encode(), 0)
    except Rejected as rejected:
        reason = rejected.reason
    assert reason in (None, "schema")
    return reason is None


def with_value(record: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    rest = {other: kept for other, kept in record.items() if other != name}
    return rest if value is ABSENT else rest | {name: value}


@pytest.mark.parametrize("name", WIRE)
def test_schema_and_engine_agree_on_every_field_and_value(name: str) -> None:
    schema = load_schema(name)
    right = {field.name: field.example for field in schema.fields}
    apart = []
    for field in schema.fields:
        records = [(field.name, value, with_value(right, field.name, value)) for value in probes(field)]
        for inner in field.fields:
            records += [
                (
                    f"{field.name}.{inner.name}",
                    value,
                    right | {field.name: with_value(field.example, inner.name, value)},
                )
                for value in probes(inner)
                if not isinstance(value, dict)
            ]
        for path, value, record in records:
            if isinstance(value, dict) and field.type == "object":
                continue  # fields that nobody knows: wrong for a generator, ignored by the engine
            faults = schema.faults(record)
            if (not faults) != engine_accepts(schema.topic, record):
                apart.append((path, str(value)[:40], faults))
    assert apart == []


@pytest.mark.parametrize("name", WIRE)
def test_a_field_that_is_not_required_may_be_null(name: str) -> None:
    def nullable(fields: tuple[Field, ...]) -> bool:
        return all(field.nullable != field.required and nullable(field.fields) for field in fields)

    assert nullable(load_schema(name).fields)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_generated_records_have_the_forms_that_the_schema_says_of_them(name: str) -> None:
    profile = make_profile(name, 3)
    schema = load_schema(profile.schema)
    for number in range(500):
        record = profile.record(START_MS + number * 200)
        for field in schema.fields:
            value, generated = record[field.name], field.generated
            if value is not None:
                assert not generated.values or value in generated.values
                assert generated.pattern is None or re.fullmatch(generated.pattern, value)


def test_sample_record_of_a_shop_passes_and_is_accepted() -> None:
    sample = json.loads((ROOT / "tests" / "producers" / "shop_order.json").read_text())
    assert load_schema("order").faults(sample) == []
    user, event = BY_TOPIC["orders"].decode(json.dumps(sample).encode(), 0)
    assert (user, event.amount_minor, event.country) == ("user_987654321", 199_999, "US")


@pytest.mark.parametrize("name", WIRE)
def test_schema_names_the_fields_that_the_feature_engine_reads(name: str) -> None:
    assert {field.name for field in load_schema(name).fields} == set(WIRE[name].__struct_fields__)


@pytest.mark.parametrize(("name", "count"), [("transaction", 24), ("order", 19), ("click", 11)])
def test_schema_has_its_number_of_fields(name: str, count: int) -> None:
    assert len(load_schema(name).fields) == count


def test_engine_requires_five_fields_of_a_transaction() -> None:
    required = {field.name for field in load_schema("transaction").fields if field.required}
    assert required == {"transaction_id", "event_time", "card_id", "amount", "currency"}


@pytest.mark.parametrize("name", WIRE)
def test_each_example_is_right_by_its_own_schema(name: str) -> None:
    schema = load_schema(name)
    assert schema.faults({field.name: field.example for field in schema.fields}) == []


@pytest.mark.parametrize("name", WIRE)
def test_each_field_is_described(name: str) -> None:
    def described(fields: tuple[Field, ...]) -> bool:
        return all(field.description.endswith(".") and described(field.fields) for field in fields)

    assert described(load_schema(name).fields)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"price": None}, "price: null"),
        ({"price": []}, "price: expected amount, got list"),
        ({"price": "1_000"}, "price: Expected text to be written as a JSON number"),
        ({"quantity": True}, "quantity: expected integer, got bool"),
        ({"quantity": 0}, "quantity: 0 is below 1"),
        ({"discount_applied": 1.5}, "discount_applied: 1.5 is above 1"),
        ({"user_id": " "}, "user_id: Expected more than spaces"),
        ({"timestamp": 1_772_452_800}, "timestamp: Expected a time from 2000 to 9999"),
        ({"currency": "usd"}, "currency: 'usd' does not match [A-Z]{3}"),
        ({"brand": "x" * 1_025}, "brand: longer than 1024 characters"),
        ({"user_location": {"country": "UK of GB"}}, "user_location.country: 'UK of GB' does not match [A-Z]{2}"),
        ({"colour": "red"}, "colour: no such field"),
    ],
)
def test_fault_names_the_field_and_what_is_wrong(changes: dict[str, Any], fault: str) -> None:
    order = make_profile("orders", 1).record(START_MS)
    assert fault in load_schema("order").faults(order | changes)


def test_value_out_of_a_set_is_a_fault_that_names_the_set() -> None:
    transaction = make_profile("transactions", 1).record(START_MS)
    faults = load_schema("transaction").faults(transaction | {"channel": "pigeon"})
    assert faults == ["channel: 'pigeon' is none of pos, ecommerce, atm"]


def test_missing_field_is_a_fault_when_it_is_required() -> None:
    order = make_profile("orders", 1).record(START_MS)
    del order["brand"], order["price"]
    assert load_schema("order").faults(order) == ["price: missing"]
