"""Places on the Earth, and how far they are apart."""

from math import asin, cos, pi, sin, sqrt

from msgspec import Struct

from features.events import Place

MICRODEGREES = 1_000_000
"""In a degree; one is about 0.1 m on the ground."""

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

EARTH_DIAMETER_M = 2 * EARTH_RADIUS_M
RADIANS_PER_MICRODEGREE = pi / 180e6


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
