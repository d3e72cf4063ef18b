"""The schemas as data, and the check of records against them."""

from typing import Any

import pytest

from features.events import Click, Order, Transaction
from producers.profiles import make_profile
from producers.schema import Field, load_schema
from tests.producers.conftest import START_MS

WIRE = {"transaction": Transaction, "order": Order, "click": Click}


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
        ({"price": "12"}, "price: expected number, got str"),
        ({"quantity": True}, "quantity: expected integer, got bool"),
        ({"quantity": 0}, "quantity: 0 is below 1"),
        ({"discount_applied": 1.5}, "discount_applied: 1.5 is above 1"),
        ({"user_id": "bob"}, "user_id: 'bob' does not match ^user_[0-9]{9}$"),
        ({"payment_method": "cash"}, "payment_method: 'cash' is none of credit_card, debit_card, paypal, apple_pay"),
        ({"brand": "x" * 101}, "brand: longer than 100 characters"),
        ({"user_location": {}}, "user_location.country: missing"),
        ({"colour": "red"}, "colour: no such field"),
    ],
)
def test_fault_names_the_field_and_what_is_wrong(changes: dict[str, Any], fault: str) -> None:
    order = make_profile("orders", 1).record(START_MS)
    assert fault in load_schema("order").faults(order | changes)


def test_missing_field_is_a_fault() -> None:
    order = make_profile("orders", 1).record(START_MS)
    del order["brand"]
    assert load_schema("order").faults(order) == ["brand: missing"]
