"""Shoppers of the web shop: who they are, where they live, what they shop with."""

from dataclasses import dataclass
from random import Random

from producers.world.goods import DEVICES, TOWNS, Device, Town
from producers.world.weighted import Weighted

_DEVICES: Weighted[Device] = Weighted(DEVICES)
_TOWNS: Weighted[Town] = Weighted(TOWNS)


@dataclass(frozen=True, slots=True)
class Shopper:
    """One customer of the shop."""

    number: int
    town: Town
    zip_code: str
    latitude: float
    longitude: float
    device: Device

    @property
    def user_id(self) -> str:
        """`user_` and nine digits."""
        return f"user_{self.number:09d}"

    def session_id(self, time_ms: int) -> str:
        """`sess_<epoch seconds>_user<nine digits>` of a session that begins at `time_ms`."""
        return f"sess_{time_ms // 1000}_user{self.number:09d}"


def make_shoppers(count: int, seed: int | str) -> list[Shopper]:
    """`count` shoppers, each the same whatever the count; city, state, zip code and coordinates belong together."""
    return [_shopper(number, Random(f"{seed}/shopper/{number}")) for number in range(count)]


def _shopper(number: int, random: Random) -> Shopper:
    town = _TOWNS.draw(random)
    zip_code = "".join(str(random.randrange(10)) if char == "#" else char for char in town.zip_code)
    return Shopper(
        number=number,
        town=town,
        zip_code=zip_code,
        latitude=round(town.latitude + random.uniform(-0.1, 0.1), 6),
        longitude=round(town.longitude + random.uniform(-0.1, 0.1), 6),
        device=_DEVICES.draw(random),
    )
