"""E-commerce orders: 19 nested fields; what a click session bought comes first, other channels fill up."""

from collections import deque
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from producers.records import Record, iso_utc
from producers.world.goods import (
    ATTRIBUTIONS,
    CATEGORIES,
    DISCOUNTS,
    PAYMENT_METHODS,
    PAYMENT_PROVIDERS,
    QUANTITIES,
    Category,
    Kind,
)
from producers.world.places import local_amount
from producers.world.shoppers import Shopper, make_shoppers
from producers.world.weighted import Weighted

_CATEGORIES: Weighted[Category] = Weighted(tuple((category, category.weight) for category in CATEGORIES))
_METHODS = Weighted(PAYMENT_METHODS)
_ATTRIBUTIONS = Weighted(ATTRIBUTIONS)
_DISCOUNTS = Weighted(DISCOUNTS)
_QUANTITIES = Weighted(QUANTITIES)


class Product(NamedTuple):
    """A product: its category, its number in it and what follows from the two."""

    category: Category
    number: int

    @property
    def product_id(self) -> str:
        """`prod_<category>_<four digits>`."""
        return f"prod_{self.category.slug}_{self.number:04d}"

    @property
    def brand(self) -> str:
        """The brand, the same for a product each time."""
        return self.category.brands[self.number % len(self.category.brands)]

    @property
    def subcategory(self) -> str:
        """The subcategory, the same for a product each time."""
        return self._kind.subcategory

    @property
    def name(self) -> str:
        """The brand and what it is."""
        return f"{self.brand} {self._kind.name}"

    @property
    def _kind(self) -> Kind:
        return self.category.kinds[self.number // 7 % len(self.category.kinds)]

    @property
    def price_usd(self) -> float:
        """The price, the same for a product each time: from 0.6 to 1.6 times what its kind costs."""
        return self._kind.price_usd * (0.6 + self.number * 7919 % 10_000 / 10_000)


class Basket(NamedTuple):
    """What a click session is about to buy."""

    shopper: Shopper
    session_id: str
    product: Product
    due_ms: int


def draw_product(random: Random) -> Product:
    """A product; its category by weight."""
    return Product(_CATEGORIES.draw(random), int(random.random() * 10_000))


class Orders:
    """The order that is placed at a given time; times must not decrease."""

    name = "orders"
    topic = "orders"
    schema = "order"
    key_field = "user_id"

    def __init__(
        self,
        seed: int | str = 42,
        *,
        shoppers: list[Shopper] | int = 400,
        run: int | str = "",
        baskets: deque[Basket] | None = None,
    ) -> None:
        """`baskets` are the purchases of click sessions that still need their order."""
        self.shoppers = make_shoppers(shoppers, seed) if isinstance(shoppers, int) else shoppers
        self._random = Random(f"{seed}/{run}/orders")
        self._baskets = baskets if baskets is not None else deque()
        self._number = self._random.randrange(10**9)

    def record(self, time_ms: int) -> Record:
        """The order that is placed at `time_ms` (epoch milliseconds)."""
        random = self._random
        basket = self._baskets.popleft() if self._baskets and self._baskets[0].due_ms <= time_ms else None
        if basket is None:
            shopper = self.shoppers[int(random.random() * len(self.shoppers))]
            started_ms = time_ms - int(random.uniform(60_000, 900_000))
            basket = Basket(shopper, shopper.session_id(started_ms), draw_product(random), time_ms)
        shopper, product, town = basket.shopper, basket.product, basket.shopper.town
        method, attribution = _METHODS.draw(random), _ATTRIBUTIONS.draw(random)
        self._number = (self._number + 1) % 10**9
        return {
            "transaction_id": f"txn_{datetime.fromtimestamp(time_ms // 1000, UTC):%Y%m%d}_{self._number:09d}",
            "user_id": shopper.user_id,
            "session_id": basket.session_id,
            "product_id": product.product_id,
            "product_name": product.name,
            "category_id": product.category.category_id,
            "category_name": product.category.name,
            "subcategory": product.subcategory,
            "brand": product.brand,
            "price": local_amount(product.price_usd, town.currency),
            "quantity": _QUANTITIES.draw(random),
            "discount_applied": _DISCOUNTS.draw(random),
            "payment_method": method,
            "payment_provider": random.choice(PAYMENT_PROVIDERS[method]),
            "currency": town.currency,
            "timestamp": iso_utc(time_ms),
            "user_location": {
                "country": town.country,
                "state": town.state,
                "city": town.city,
                "zip_code": shopper.zip_code,
                "latitude": shopper.latitude,
                "longitude": shopper.longitude,
            },
            "device_info": shopper.device._asdict(),
            "marketing_attribution": attribution._asdict(),
        }
