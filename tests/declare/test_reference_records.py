"""A declared event accepts what the reference definitions' own decoders accept, and refuses it with the same words."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from features.events import Click, Order, Transaction
from features.money import order_total, to_minor
from producers.schema import load_schema
from tests.producers.test_schema import probes, with_value
from tests.reference import BY_TOPIC
from twinstream import Amount, FeatureGroup, IpAddress, Rejected, count, distinct, last
from twinstream.core.feature_group import FeatureGroup as Definition
from twinstream.declare.group import definition_of


class DeclaredTransaction(Transaction):
    ip_address: IpAddress | None = None


class DeclaredOrder(Order):
    discount_applied: Amount | None = 0


def amount_minor(transaction: Transaction) -> int:
    return in_minor_units(transaction.amount, transaction.currency, "amount")


def order_minor(order: Order) -> int:
    discount = Decimal(0) if order.discount_applied is None else Decimal(order.discount_applied)
    if not (discount.is_finite() and 0 <= discount <= 1):
        raise Rejected("schema", "expected a discount from 0 to 1 - at `$.discount_applied`")
    try:
        total = order_total(order.price, order.quantity, discount)
    except ValueError as fault:
        raise Rejected("schema", f"{fault} - at `$.price`") from None
    return in_minor_units(total, order.currency, "price")


def in_minor_units(amount: Decimal, currency: str, field: str) -> int:
    try:
        return to_minor(amount, currency)
    except ValueError as fault:
        raise Rejected("schema", f"{fault} - at `$.{field}`") from None


class TransactionFeatures(
    FeatureGroup,
    event=DeclaredTransaction,
    topic="transactions",
    entity=Transaction.card_id,
    time=Transaction.event_time,
    id=Transaction.transaction_id,
):
    amount = last(amount_minor)
    declined = count(where=lambda transaction: transaction.auth_result == "declined")
    merchants = distinct(Transaction.merchant_id)


class OrderFeatures(
    FeatureGroup,
    event=DeclaredOrder,
    topic="orders",
    entity=Order.user_id,
    time=Order.timestamp,
    id=Order.transaction_id,
):
    amount = last(order_minor)
    brands = distinct(Order.brand)


class ClickFeatures(
    FeatureGroup,
    event=Click,
    topic="clickstream",
    entity=Click.user_id,
    time=Click.event_time,
    id=Click.event_id,
):
    sessions = distinct(Click.session_id)
    pages = distinct(Click.page)


GROUPS: dict[str, type[FeatureGroup]] = {
    "transaction": TransactionFeatures,
    "order": OrderFeatures,
    "click": ClickFeatures,
}


def records(name: str) -> Iterator[dict[str, Any]]:
    """Right records of which one field has a value at the edge of what it may have."""
    fields = load_schema(name).fields
    right = {field.name: field.example for field in fields}
    for field in fields:
        yield from (with_value(right, field.name, value) for value in probes(field))
        for inner in field.fields:
            yield from (right | {field.name: with_value(field.example, inner.name, value)} for value in probes(inner))


def decoded(group: Definition, record: dict[str, Any]) -> tuple[Any, ...]:
    """Entity, time, offset and id; or why it is refused."""
    try:
        entity, event = group.decode(json.dumps(record).encode(), 7)
    except Rejected as rejected:
        return rejected.reason, rejected.detail
    return entity, event.time_ms, event.offset, event.id


@pytest.mark.parametrize("name", GROUPS)
def test_a_declared_event_is_accepted_and_refused_as_by_the_decoder_written_by_hand(name: str) -> None:
    group = definition_of(GROUPS[name])
    assert group is not None
    by_hand = BY_TOPIC[group.topic]
    tried = accepted = 0
    for record in records(name):
        expected = decoded(by_hand, record)
        assert decoded(group, record) == expected, record
        tried += 1
        accepted += expected[0] != "schema"
    assert tried > 500
    assert accepted > 100
