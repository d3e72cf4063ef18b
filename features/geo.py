"""Where and how fast: distances and speeds between an entity's located payments.

Distances are whole metres and speeds whole metres per hour, so that the fastest can be kept and taken back exactly.
"""

from collections import deque
from math import asin, cos, pi, sin, sqrt

from msgspec import Struct

from features.events import Payment, Place
from features.velocity import PaymentWindow, Velocity
from twinstream import Family, Maximum

MICRODEGREES = 1_000_000
"""In a degree; one is about 0.1 m on the ground."""

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

EARTH_DIAMETER_M = 2 * EARTH_RADIUS_M
RADIANS_PER_MICRODEGREE = pi / 180e6

SHORTEST_TIME_MS = 1_000
"""Two payments closer in time count as this far apart: card networks keep time to the second."""

JUMP_M = 50_000
"""A move at least this long is a jump: nearer ones can look fast because places are known only roughly."""


def microdegrees(degrees: float) -> int:
    """Degrees as integer micro-degrees."""
    return round(degrees * MICRODEGREES)


def haversine_m(a: Place, b: Place) -> int:
    """Great-circle distance in metres between two places (haversine formula; Sinnott 1984).

    >>> haversine_m((48_856_600, 2_352_200), (51_507_400, -127_800))  # Paris to London
    343557
    """
    return Stop.at(a, 0).distance_to_m(Stop.at(b, 0))


class Stop(Struct, gc=False):
    """A located payment, and how it was reached from the located one before it in the window.

    Attributes:
        time_ms: when.
        latitude, longitude: in radians.
        cos_latitude: taken once, since every distance needs it.
        distance_m, speed_m_per_h: from the one before; None when there is none.
    """

    time_ms: int
    latitude: float
    longitude: float
    cos_latitude: float
    distance_m: int | None = None
    speed_m_per_h: int | None = None

    @classmethod
    def at(cls, place: Place, time_ms: int) -> "Stop":
        """A stop that has not been reached from anywhere yet."""
        latitude = place[0] * RADIANS_PER_MICRODEGREE
        return cls(time_ms, latitude, place[1] * RADIANS_PER_MICRODEGREE, cos(latitude))

    def distance_to_m(self, other: "Stop") -> int:
        """Great-circle distance in metres by the haversine formula."""
        latitude = sin((other.latitude - self.latitude) / 2)
        longitude = sin((other.longitude - self.longitude) / 2)
        h = latitude * latitude + self.cos_latitude * other.cos_latitude * longitude * longitude
        return round(EARTH_DIAMETER_M * asin(sqrt(h) if h < 1.0 else 1.0))


class Geo:
    """The located payments in a window, in order, and the fastest moves between neighbours."""

    __slots__ = ("fastest", "fastest_jump", "stops")

    def __init__(self) -> None:
        self.stops: deque[Stop] = deque()
        self.fastest = Maximum()
        self.fastest_jump = Maximum()

    def append(self, event: Payment) -> None:
        """A payment came in at the newer end."""
        if event.place is not None:
            stop, stops = Stop.at(event.place, event.time_ms), self.stops
            if stops:
                self._arrive(stops[-1], stop)
            stops.append(stop)

    def pop(self, event: Payment) -> None:
        """A payment went out at the newer end."""
        if event.place is not None:
            self._leave(self.stops.pop())

    def appendleft(self, event: Payment) -> None:
        """A payment came in at the older end: what was the oldest is now reached from it."""
        if event.place is not None:
            stop, stops = Stop.at(event.place, event.time_ms), self.stops
            if stops:
                self._arrive(stop, stops[0])
            stops.appendleft(stop)

    def popleft(self, event: Payment) -> None:
        """A payment went out at the older end: the next is no longer reached from anywhere."""
        if event.place is not None:
            self.stops.popleft()
            if self.stops:
                self._leave(self.stops[0])

    def _arrive(self, origin: Stop, stop: Stop) -> None:
        metres = origin.distance_to_m(stop)
        speed = metres * 3_600_000 // max(stop.time_ms - origin.time_ms, SHORTEST_TIME_MS)
        stop.distance_m, stop.speed_m_per_h = metres, speed
        self.fastest.add(speed)
        if metres >= JUMP_M:
            self.fastest_jump.add(speed)

    def _leave(self, stop: Stop) -> None:
        if stop.distance_m is None or stop.speed_m_per_h is None:
            return
        self.fastest.remove(stop.speed_m_per_h)
        if stop.distance_m >= JUMP_M:
            self.fastest_jump.remove(stop.speed_m_per_h)
        stop.distance_m = stop.speed_m_per_h = None


class LocatedWindow(PaymentWindow):
    """A window over payments, with the aggregates of the velocity and the geo features."""

    __slots__ = ("geo",)
    geo: Geo

    def __init__(self, size_ms: int) -> None:
        self.velocity = Velocity()
        self.geo = Geo()
        super().__init__(size_ms, (self.velocity, self.geo))


geo: Family[LocatedWindow] = Family("geo")


def _km(metres: int | None) -> float | None:
    return None if metres is None else metres / 1000


@geo.feature(
    unit="km",
    meaning="""Between the newest two located payments in the window, along the Earth, in whole metres; null with fewer
    than two.""",
)
def distance_from_previous_km(window: LocatedWindow) -> float | None:
    stops = window.geo.stops
    return _km(stops[-1].distance_m) if stops else None


@geo.feature(
    unit="km/h",
    meaning=f"""Speed needed between the newest two located payments in the window, in whole metres per hour; closer
    than {SHORTEST_TIME_MS} ms count as that far apart; null with fewer than two.""",
)
def speed_from_previous_kmh(window: LocatedWindow) -> float | None:
    stops = window.geo.stops
    return _km(stops[-1].speed_m_per_h) if stops else None


@geo.feature(
    unit="km/h",
    meaning="""Fastest speed needed between neighbouring located payments in the window, reckoned alike; null with
    fewer than two.""",
)
def max_speed_kmh(window: LocatedWindow) -> float | None:
    return _km(window.geo.fastest.value)


@geo.feature(
    unit="km",
    meaning="""Between the oldest and the newest located payment in the window, along the Earth, in whole metres; null
    with fewer than two.""",
)
def window_span_km(window: LocatedWindow) -> float | None:
    stops = window.geo.stops
    if len(stops) < 2:
        return None
    return stops[0].distance_to_m(stops[-1]) / 1000
