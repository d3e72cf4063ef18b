"""Where and how fast: distances and speeds between an entity's located payments."""

from features.payments import SHORTEST_TIME_MS, PaymentWindow
from twinstream import Family

geo: Family[PaymentWindow] = Family("geo")


def _km(metres: int | None) -> float | None:
    return None if metres is None else metres / 1000


@geo.feature(
    unit="km",
    meaning="""Between the newest two located payments in the window, along the Earth, in whole metres; null with fewer
    than two.""",
)
def distance_from_previous_km(window: PaymentWindow) -> float | None:
    stops = window.geo.stops
    return _km(stops[-1].distance_m) if stops else None


@geo.feature(
    unit="km/h",
    meaning=f"""Speed needed between the newest two located payments in the window, in whole metres per hour; closer
    than {SHORTEST_TIME_MS} ms count as that far apart; null with fewer than two.""",
)
def speed_from_previous_kmh(window: PaymentWindow) -> float | None:
    stops = window.geo.stops
    return _km(stops[-1].speed_m_per_h) if stops else None


@geo.feature(
    unit="km/h",
    meaning="""Fastest speed needed between neighbouring located payments in the window, reckoned alike; null with
    fewer than two.""",
)
def max_speed_kmh(window: PaymentWindow) -> float | None:
    return _km(window.geo.fastest.value)


@geo.feature(
    unit="km",
    meaning="""Between the oldest and the newest located payment in the window, along the Earth, in whole metres; null
    with fewer than two.""",
)
def window_span_km(window: PaymentWindow) -> float | None:
    stops = window.geo.stops
    if len(stops) < 2:
        return None
    return stops[0].distance_to_m(stops[-1]) / 1000
