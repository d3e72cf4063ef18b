"""The three kinds of records on the wire, and the small integer events that are kept in state.

A wire record has every documented field (`schema/*.yaml`), so that a wrong one is found. A state event has only what
the features need, as integers and identifiers: it is what a window holds and what is written to Redis.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from twinstream import Amount, CountryCode, CurrencyCode, FourDigits, Id, Latitude, Longitude, Name, Text, Timestamp


class Transaction(Struct, frozen=True, gc=False):
    """A card transaction on the wire: 24 fields, five of them required."""

    transaction_id: Id
    event_time: Timestamp
    card_id: Id
    amount: Amount
    currency: CurrencyCode
    card_brand: Text | None = None
    card_last4: FourDigits | None = None
    account_id: Name | None = None
    user_id: Name | None = None
    account_age_days: Annotated[int, Meta(ge=0, le=40_000)] | None = None
    merchant_id: Name | None = None
    merchant_name: Text | None = None
    mcc_code: Annotated[int, Meta(ge=1, le=9999)] | None = None
    channel: Literal["pos", "ecommerce", "atm"] | None = None
    card_present: bool | None = None
    payment_method: Text | None = None
    country: CountryCode | None = None
    city: Text | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    device_id: Name | None = None
    ip_address: Text | None = None
    auth_result: Literal["approved", "declined"] | None = None
    label_fraud: bool | Annotated[int, Meta(ge=0, le=1)] | None = None


class Location(Struct, frozen=True, gc=False):
    """Where an order was placed from."""

    country: CountryCode | None = None
    state: Text | None = None
    city: Text | None = None
    zip_code: Text | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class Device(Struct, frozen=True, gc=False):
    """What an order was placed with."""

    type: Text | None = None
    os: Text | None = None
    browser: Text | None = None
    user_agent: Text | None = None


class Attribution(Struct, frozen=True, gc=False):
    """The marketing that an order is attributed to."""

    campaign_id: Name | None = None
    channel: Text | None = None
    referrer: Text | None = None


class Order(Struct, frozen=True, gc=False):
    """An e-commerce order on the wire: 19 fields, six of them required."""

    transaction_id: Id
    user_id: Id
    timestamp: Timestamp
    price: Amount
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]
    currency: CurrencyCode
    discount_applied: Amount = 0
    session_id: Name | None = None
    product_id: Name | None = None
    product_name: Text | None = None
    category_id: Name | int | None = None
    category_name: Text | None = None
    subcategory: Text | None = None
    brand: Text | None = None
    payment_method: Text | None = None
    payment_provider: Text | None = None
    user_location: Location | None = None
    device_info: Device | None = None
    marketing_attribution: Attribution | None = None


class Click(Struct, frozen=True, gc=False):
    """A step of a user on the site: 11 fields, five of them required."""

    event_id: Id
    event_time: Timestamp
    user_id: Id
    session_id: Id
    event_type: Literal["page_view", "product_view", "add_to_cart", "remove_from_cart", "checkout", "purchase"]
    page: Text | None = None
    product_id: Name | None = None
    category: Text | None = None
    dwell_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None
    referrer: Text | None = None
    device_type: Text | None = None


Place = tuple[int, int]
"""Latitude and longitude in micro-degrees."""


class Payment(Struct, frozen=True, gc=False, array_like=True):
    """A transaction or an order as kept in state: times in ms, money in minor units, places in micro-degrees."""

    time_ms: int
    offset: int
    id: str
    amount_minor: int
    currency: str
    declined: bool
    merchant: str | None
    country: str | None
    device: str | None
    place: Place | None


class Action(Struct, frozen=True, gc=False, array_like=True):
    """A click as kept in state."""

    time_ms: int
    offset: int
    id: str
    session: str
    type: str
    page: str | None
    product: str | None
    dwell_ms: int
