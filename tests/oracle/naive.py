"""The features by brute force: everything recomputed from the list of accepted events, at every question.

Short and obviously right is the aim, speed is not. Nothing here is shared with the code of `features`; windows are list
comprehensions, sums are sums. It follows docs/features.md, and every number in it is taken from that page: so the page
says enough to compute every value again.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import Any

from features.events import Action, Payment
from tests.oracle.documented import (
    EARTH_RADIUS_M,
    FULL,
    HALF,
    JUMP_M,
    MICRODEGREES,
    POINTS,
    RULES,
    SHORTEST_TIME_MS,
    UNUSUAL_HOURS,
    minor_per_major,
)

Vector = dict[str, Any]


class NaiveState:
    """What `twinstream.core.state.EntityState` must be equal to."""

    def __init__(self, group: str, size_ms: int, max_events: int = 50_000) -> None:
        self.vector_of = VECTORS[group]
        self.size_ms = size_ms
        self.max_events = max_events
        self.events: list[Any] = []
        self.gone: list[Any] = []  # what the cap took out

    def insert(self, event: Any, watermark_ms: int) -> Vector | None:
        """The vector at the event; None when it is a duplicate."""
        if any((event.time_ms, event.id) == (other.time_ms, other.id) for other in self.events):
            return None
        retained = [other for other in self.events if other.time_ms > watermark_ms - self.size_ms]
        self.events = in_order([*retained, event])
        if len(self.events) > self.max_events:
            self.gone.append(self.events.pop(0))
        return self.vector_at(event.time_ms)

    def vector_at(self, now_ms: int) -> Vector:
        """Every feature of the window `(now - size, now]`."""
        window = [event for event in self.events if now_ms - self.size_ms < event.time_ms <= now_ms]
        vector = self.vector_of(window, now_ms, self.size_ms)
        vector["window_truncated"] = any(event.time_ms > now_ms - self.size_ms for event in self.gone)
        return vector

    @property
    def newest_ms(self) -> int:
        return max(event.time_ms for event in self.events)


def in_order(events: Sequence[Any]) -> list[Any]:
    """By event time, ties by offset."""
    return sorted(events, key=lambda event: (event.time_ms, event.offset))


def order_vector(window: list[Payment], now_ms: int, size_ms: int) -> Vector:
    """Velocity and geo of payments in order."""
    return {**velocity(window, size_ms), **geo(window)}


def transaction_vector(window: list[Payment], now_ms: int, size_ms: int) -> Vector:
    """Velocity, geo and risk of payments in order."""
    return {**velocity(window, size_ms), **geo(window), **risk(window)}


def velocity(window: list[Payment], size_ms: int) -> Vector:
    vector: Vector = {
        "txn_count": len(window),
        "amount_sum": None,
        "amount_mean": None,
        "amount_std": None,
        "amount_max": None,
        "txn_per_minute": len(window) / (size_ms / 60_000),
        "seconds_since_previous": (window[-1].time_ms - window[-2].time_ms) / 1000 if len(window) > 1 else None,
        "declined_count": len([event for event in window if event.declined]),
        "distinct_merchants": distinct(event.merchant for event in window),
        "distinct_countries": distinct(event.country for event in window),
        "distinct_devices": distinct(event.device for event in window),
        "distinct_currencies": distinct(event.currency for event in window),
    }
    if window:
        currency = window[-1].currency
        amounts = [
            Fraction(event.amount_minor, minor_per_major(currency)) for event in window if event.currency == currency
        ]
        mean = sum(amounts) / len(amounts)
        vector["amount_sum"] = float(sum(amounts))
        vector["amount_mean"] = float(mean)
        vector["amount_std"] = sqrt(sum((amount - mean) ** 2 for amount in amounts) / len(amounts))
        vector["amount_max"] = float(max(amounts))
    return vector


def geo(window: list[Payment]) -> Vector:
    located = [event for event in window if event.place is not None]
    moves = [move(before, after) for before, after in pairwise(located)]
    return {
        "distance_from_previous_km": moves[-1][0] / 1000 if moves else None,
        "speed_from_previous_kmh": moves[-1][1] / 1000 if moves else None,
        "max_speed_kmh": max(speed for _, speed in moves) / 1000 if moves else None,
        "window_span_km": metres_between(located[0].place, located[-1].place) / 1000 if moves else None,
    }


def move(before: Payment, after: Payment) -> tuple[int, int]:
    """Metres and metres per hour between two payments, at least a second apart."""
    metres = metres_between(before.place, after.place)
    return metres, metres * 3_600_000 // max(SHORTEST_TIME_MS, after.time_ms - before.time_ms)


def metres_between(a: Any, b: Any) -> int:
    """The haversine formula."""
    (lat_a, lon_a), (lat_b, lon_b) = ([radians(part / MICRODEGREES) for part in place] for place in (a, b))
    h = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h))))


def risk(window: list[Payment]) -> Vector:
    located = [event for event in window if event.place is not None]
    moves = [move(before, after) for before, after in pairwise(located)]
    values = {
        "impossible_travel": max([speed for metres, speed in moves if metres >= JUMP_M], default=0),
        "velocity_burst": len(window),
        "repeated_declines": len([event for event in window if event.declined]),
        "amount_spike": 0,
        "several_countries": distinct(event.country for event in window),
        "several_devices": distinct(event.device for event in window),
        "unusual_hour": 0,
    }
    if window:
        first_hour, last_hour = UNUSUAL_HOURS
        values["unusual_hour"] = int(first_hour <= window[-1].time_ms // 3_600_000 % 24 <= last_hour)
        rest = [event.amount_minor for event in window[:-1] if event.currency == window[-1].currency]
        if rest:
            values["amount_spike"] = window[-1].amount_minor * len(rest) * 100 // max(1, sum(rest))
    severities = {name: ramp(values[name], rule.start, rule.full) for name, rule in RULES.items()}
    all_wrong = Fraction(1)
    for name, severity in severities.items():
        all_wrong *= 1 - Fraction(RULES[name].weight * severity, FULL * FULL)
    return {
        "risk_score": float(1 - all_wrong),
        "risk_reasons": tuple(name for name, severity in severities.items() if severity),
    }


def ramp(value: int, start: int, full: int) -> int:
    """Nothing below start, half at start, all from full on, in thousandths."""
    return 0 if value < start else FULL if value >= full else HALF + HALF * (value - start) // (full - start)


def clickstream_vector(window: list[Action], now_ms: int, size_ms: int) -> Vector:
    """Engagement, conversion and session of actions in order."""
    types = [event.type for event in window]
    views, adds, buys = (types.count(name) for name in ("product_view", "add_to_cart", "purchase"))
    dwell_ms = sum(event.dwell_ms for event in window)
    pages = distinct(event.page for event in window)
    products = distinct(event.product for event in window)
    all_points, per_action, actions, per_page, most_pages, per_product, most_products, *others = POINTS
    ms_per_point, most_ms, for_cart, for_purchase = others
    points = per_action * min(len(window), actions) + per_page * min(pages, most_pages)
    points += per_product * min(products, most_products) + min(dwell_ms, most_ms) // ms_per_point
    points += (for_cart if adds else 0) + (for_purchase if buys else 0)
    session = [event for event in window if event.session == window[-1].session]
    in_session = [event.type for event in session]
    return {
        "events": len(window),
        "events_per_minute": len(window) / (size_ms / 60_000),
        "distinct_pages": pages,
        "distinct_products": products,
        "dwell_seconds": dwell_ms / 1000,
        "engagement_score": points / all_points,
        "product_views": views,
        "cart_adds": adds,
        "checkouts": types.count("checkout"),
        "purchases": buys,
        "view_to_cart_rate": adds / views if views else None,
        "cart_to_purchase_rate": buys / adds if adds else None,
        "session_duration_seconds": (session[-1].time_ms - session[0].time_ms) / 1000 if session else None,
        "session_events": len(session),
        "is_bounce": len(session) == 1 if session else None,
        "cart_abandoned": "add_to_cart" in in_session and "purchase" not in in_session if session else None,
        "seconds_since_last_event": (now_ms - window[-1].time_ms) / 1000 if window else None,
    }


def distinct(values: Any) -> int:
    """Number of different values, None not being one."""
    return len({value for value in values if value is not None})


VECTORS: dict[str, Callable[[list[Any], int, int], Vector]] = {
    "transaction": transaction_vector,
    "order": order_vector,
    "clickstream": clickstream_vector,
}
