"""Clicks: sessions that look at products, fill a cart, leave it or buy."""

import math
from collections import deque
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from producers.profiles.orders import Basket, Product, draw_product
from producers.records import Record, iso_utc
from producers.world.goods import ATTRIBUTIONS
from producers.world.shoppers import Shopper, make_shoppers
from producers.world.weighted import Weighted

_ATTRIBUTIONS = Weighted(ATTRIBUTIONS)


class Step(NamedTuple):
    """One click of a session and the time spent since the one before."""

    pause_ms: int
    event_type: str
    page: str
    product: Product | None


class Visit(NamedTuple):
    """A running session: who, since when, from where, and the steps still to come, last one first."""

    shopper: Shopper
    session_id: str
    referrer: str | None
    steps: list[Step]


class Clicks:
    """The click that happens at a given time; times must not decrease. A purchase leaves a basket for an order."""

    name = "clicks"
    topic = "clickstream"
    schema = "click"
    key_field = "user_id"

    def __init__(
        self,
        seed: int | str = 42,
        *,
        shoppers: list[Shopper] | int = 400,
        run: int | str = "",
        baskets: deque[Basket] | None = None,
    ) -> None:
        """`baskets` collects the purchases, for an `Orders` that shares it."""
        self.shoppers = make_shoppers(shoppers, seed) if isinstance(shoppers, int) else shoppers
        self.baskets: deque[Basket] = baskets if baskets is not None else deque(maxlen=10_000)
        self._random = Random(f"{seed}/{run}/clicks")
        self._ids = f"evt_{self._random.getrandbits(40):010x}"
        self._running: list[tuple[int, int, Visit]] = []
        self._made = 0

    def record(self, time_ms: int) -> Record:
        """The click that happens at `time_ms` (epoch milliseconds)."""
        if self._running and (self._running[0][0] <= time_ms or len(self._running) >= len(self.shoppers)):
            _, _, visit = heappop(self._running)
        else:
            visit = self._new_visit(time_ms)
        step = visit.steps.pop()
        number = self._made = self._made + 1
        if visit.steps:
            heappush(self._running, (time_ms + visit.steps[-1].pause_ms, number, visit))
        shopper, product = visit.shopper, step.product
        if step.event_type == "purchase" and product is not None:
            self.baskets.append(Basket(shopper, visit.session_id, product, time_ms))
        return {
            "event_id": f"{self._ids}_{number:08d}",
            "event_time": iso_utc(time_ms),
            "user_id": shopper.user_id,
            "session_id": visit.session_id,
            "event_type": step.event_type,
            "page": step.page,
            "product_id": product.product_id if product else None,
            "category": product.category.name if product else None,
            "dwell_ms": step.pause_ms,
            "referrer": visit.referrer,
            "device_type": shopper.device.type,
        }

    def _new_visit(self, time_ms: int) -> Visit:
        random = self._random
        shopper = self.shoppers[int(random.random() * len(self.shoppers))]
        steps = self._steps()
        steps.reverse()
        return Visit(shopper, shopper.session_id(time_ms), _ATTRIBUTIONS.draw(random).referrer, steps)

    def _steps(self) -> list[Step]:
        """A visit: one page and gone, a look around, a cart left behind, or a purchase."""
        random = self._random
        steps = [self._step("page_view", random.choice(("/", "/sale", "/new")))]
        if random.random() < 0.25:
            return steps
        product = draw_product(random)
        for _ in range(1 + int(random.random() ** 2 * 4)):
            product = draw_product(random)
            steps.append(self._step("product_view", f"/product/{product.product_id}", product))
        if random.random() < 0.35:
            return steps
        steps.append(self._step("add_to_cart", "/cart", product))
        if random.random() < 0.1:
            steps.append(self._step("remove_from_cart", "/cart", product))
        elif random.random() < 0.75:
            steps.append(self._step("checkout", "/checkout", product))
            if random.random() < 0.85:
                steps.append(self._step("purchase", "/thanks", product))
        return steps

    def _step(self, event_type: str, page: str, product: Product | None = None) -> Step:
        pause_ms = 800 + int(-math.log(1.0 - self._random.random()) * 18_000)
        return Step(min(pause_ms, 600_000), event_type, page, product)
