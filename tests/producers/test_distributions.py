"""Weights, shares and stories of the generated data."""

from collections import Counter, defaultdict, deque
from ipaddress import ip_address
from typing import Any

import pytest
from scipy.stats import chisquare

from producers.profiles.accounts import AccountTransactions
from producers.profiles.cards import MOVE_MS, CardTransactions
from producers.profiles.clicks import Clicks
from producers.profiles.orders import Basket, Orders, Product
from producers.records import encode
from producers.schema import load_schema
from producers.world.goods import CATEGORIES, DISCOUNTS, PAYMENT_METHODS, QUANTITIES, TOWNS, Category, Kind
from producers.world.places import DECIMALS
from producers.world.shoppers import make_shoppers
from tests.producers.conftest import START_MS
from tests.reference import BY_TOPIC

ORDERS = 20_000


def fits(found: Counter[Any], weights: dict[Any, float]) -> bool:
    """Whether counts could well come from the weights (chi-square, 1 in 1000)."""
    assert set(found) <= set(weights)
    total = sum(weights.values())
    count = sum(found.values())
    expected = [weight / total * count for weight in weights.values()]
    return bool(chisquare([found[name] for name in weights], expected).pvalue > 0.001)


@pytest.fixture(scope="module")
def orders() -> list[dict[str, Any]]:
    profile = Orders(5, shoppers=2_000)
    return [profile.record(START_MS + number * 1_000) for number in range(ORDERS)]


@pytest.fixture(scope="module")
def cards() -> list[dict[str, Any]]:
    profile = CardTransactions(5, cards=800, fraud_ratio=0.03)
    return [dict(profile.record(START_MS + number * 500)) for number in range(20_000)]


def test_order_categories_follow_their_weights(orders: list[dict[str, Any]]) -> None:
    weights = {category.name: category.weight for category in CATEGORIES}
    assert weights == {
        "Electronics": 25,
        "Clothing": 20,
        "Books": 15,
        "Home & Garden": 15,
        "Sports & Outdoors": 10,
        "Beauty & Health": 10,
        "Toys & Games": 5,
    }
    assert fits(Counter(order["category_name"] for order in orders), dict(weights))


def test_order_payment_methods_follow_their_weights(orders: list[dict[str, Any]]) -> None:
    weights = dict(PAYMENT_METHODS)
    assert weights == {"credit_card": 60, "debit_card": 25, "paypal": 10, "apple_pay": 5}
    assert fits(Counter(order["payment_method"] for order in orders), dict(weights))


def test_order_quantities_and_discounts_follow_their_weights(orders: list[dict[str, Any]]) -> None:
    assert fits(Counter(order["quantity"] for order in orders), dict(QUANTITIES))
    assert fits(Counter(order["discount_applied"] for order in orders), dict(DISCOUNTS))


def test_order_city_state_zip_and_coordinates_belong_together(orders: list[dict[str, Any]]) -> None:
    towns = {town.city: town for town, _ in TOWNS}
    assert {town.country for town in towns.values()} == {"US", "CA", "GB"}
    for order in orders:
        place = order["user_location"]
        town = towns[place["city"]]
        assert (place["country"], place["state"], order["currency"]) == (town.country, town.state, town.currency)
        assert abs(place["latitude"] - town.latitude) <= 0.1
        assert abs(place["longitude"] - town.longitude) <= 0.1
        pattern = town.zip_code
        assert len(place["zip_code"]) == len(pattern)
        assert all(
            char.isdigit() if mark == "#" else char == mark
            for char, mark in zip(place["zip_code"], pattern, strict=True)
        )


def test_a_product_is_the_same_each_time(orders: list[dict[str, Any]]) -> None:
    names = defaultdict(set)
    for order in orders:
        names[order["product_id"]].add((order["product_name"], order["brand"], order["subcategory"]))
    assert all(len(name) == 1 for name in names.values())


def test_click_purchases_lead_to_orders_of_the_same_session_and_product() -> None:
    clicks = Clicks(3, shoppers=50)
    orders = Orders(3, shoppers=clicks.shoppers, baskets=clicks.baskets)
    made = [clicks.record(START_MS + number * 1_000) for number in range(2_000)]
    bought = {(click["session_id"], click["product_id"]) for click in made if click["event_type"] == "purchase"}
    ordered = [orders.record(START_MS + 3_000_000) for _ in bought]
    assert bought
    assert {(order["session_id"], order["product_id"]) for order in ordered} == bought


def test_click_sessions_begin_with_a_page_and_buy_only_what_is_in_the_cart() -> None:
    clicks = Clicks(9, shoppers=300)
    sessions = defaultdict(list)
    for number in range(6_000):
        click = clicks.record(START_MS + number * 700)
        sessions[click["session_id"]].append(click["event_type"])
    assert {steps[0] for steps in sessions.values()} == {"page_view"}
    for steps in sessions.values():
        if "purchase" in steps:
            assert steps.index("add_to_cart") < steps.index("checkout") < steps.index("purchase")


def test_card_fraud_has_the_share_that_was_asked_for(cards: list[dict[str, Any]]) -> None:
    share = sum(record["label_fraud"] for record in cards) / len(cards)
    assert share == pytest.approx(0.03, abs=0.004)


def test_no_fraud_when_none_is_asked_for() -> None:
    profile = CardTransactions(5, fraud_ratio=0.0)
    assert not any(profile.record(START_MS + number * 500)["label_fraud"] for number in range(3_000))


def test_fraud_is_a_story_of_several_transactions_of_one_card(cards: list[dict[str, Any]]) -> None:
    stories = Counter(record["card_id"] for record in cards if record["label_fraud"])
    assert sum(stories.values()) / len(stories) > 3


def test_fraud_shows_in_declines_and_countries_more_than_in_amounts(cards: list[dict[str, Any]]) -> None:
    fraud = [record for record in cards if record["label_fraud"]]
    honest = [record for record in cards if not record["label_fraud"]]

    def declined(records: list[dict[str, Any]]) -> float:
        return sum(record["auth_result"] == "declined" for record in records) / len(records)

    assert declined(fraud) > 4 * declined(honest)
    largest = sorted(cards, key=lambda record: -record["amount"])[: len(cards) // 100]
    assert sum(record["label_fraud"] for record in largest) / len(largest) < 0.3


def test_card_amounts_have_the_decimals_of_their_currency(cards: list[dict[str, Any]]) -> None:
    assert {"JPY", "KWD", "USD"} <= {record["currency"] for record in cards}
    for record in cards:
        digits = DECIMALS.get(record["currency"], 2)
        assert round(record["amount"], digits) == record["amount"] > 0


def test_addresses_are_public_and_only_online(cards: list[dict[str, Any]]) -> None:
    for record in cards:
        assert (record["ip_address"] is None) == (record["channel"] != "ecommerce")
        assert record["ip_address"] is None or ip_address(record["ip_address"]).is_global


def test_account_activity_is_brazilian_in_reais() -> None:
    profile = AccountTransactions(1, fraud_ratio=0.0)
    records = [profile.record(START_MS + number) for number in range(500)]
    assert {(record["country"], record["currency"]) for record in records} == {("BR", "BRL")}


def test_a_new_category_is_one_entry_of_the_table() -> None:
    category = Category("Pets & Friends", 7, ("Pawly",), (Kind("Scratching Post", "Cats", 39),))
    shopper = make_shoppers(1, 3)[0]
    basket = Basket(shopper, shopper.session_id(START_MS), Product(category, 42), START_MS)
    order = Orders(3, shoppers=[shopper], baskets=deque([basket])).record(START_MS)
    assert (order["category_id"], order["product_id"]) == ("cat_pets_friends", "prod_pets_friends_0042")
    assert load_schema("order").faults(order) == []
    assert BY_TOPIC["orders"].decode(encode(order), 0)[0] == shopper.user_id


@pytest.mark.parametrize("step_ms", [4, 500, 5_000])
def test_a_card_takes_minutes_from_one_city_to_another(step_ms: int) -> None:
    profile = CardTransactions(5, cards=400, fraud_ratio=0.05)
    last: dict[str, tuple[int, dict[str, Any]]] = {}
    moves = []
    for number in range(8_000):
        time_ms = START_MS + number * step_ms
        record: dict[str, Any] = dict(profile.record(time_ms))
        last_ms, before = last.get(record["card_id"], (time_ms, record))
        if before["city"] != record["city"]:
            moves.append(time_ms - last_ms)
        last[record["card_id"]] = time_ms, record
    assert min(moves, default=MOVE_MS.start) >= MOVE_MS.start
