"""Cardholders: a home, a purse, usual shops, devices and hours. Made once per run from the seed."""

import math
from dataclasses import dataclass
from random import Random

from producers.world.merchants import Directory, Merchant
from producers.world.places import CITIES, COUNTRIES, CURRENCY, City
from producers.world.weighted import Weighted

BRANDS = (("visa", 52), ("mastercard", 33), ("amex", 8), ("elo", 7))
PAYMENT_METHODS = (("credit_card", 55), ("debit_card", 30), ("apple_pay", 9), ("google_pay", 6))

PUBLIC_FIRST_OCTETS = tuple(octet for octet in range(11, 224) if octet not in (100, 127, 169, 172, 192, 198, 203))
"""First numbers of IPv4 addresses of which every address is public."""


@dataclass(slots=True)
class Cardholder:
    """One card, its owner and the owner's habits."""

    card_id: str
    user_id: str
    account_id: str
    brand: str
    last4: str
    account_age_days: int
    payment_method: str
    home: City
    latitude: float
    longitude: float
    place: City
    """Where the owner is during the run: at home, or travelling."""
    currency: str
    """Currency of online purchases: the home country's."""
    spending: float
    """Multiplier on what things usually cost."""
    shops: list[Merchant]
    devices: list[str]
    ip_address: str
    awake: tuple[bool, ...]
    """For each hour of the day in UTC, whether the owner is up; a night worker is when others sleep."""


def public_ip(random: Random) -> str:
    """A public IPv4 address."""
    bits = random.getrandbits(24)
    first = PUBLIC_FIRST_OCTETS[int(random.random() * len(PUBLIC_FIRST_OCTETS))]
    return f"{first}.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"


def device_id(random: Random) -> str:
    """An opaque device identifier."""
    return f"dev_{random.getrandbits(48):012x}"


def make_cardholders(count: int, seed: str, directory: Directory, traveller_share: float = 0.06) -> list[Cardholder]:
    """`count` cardholders, each the same whatever the count. A traveller is abroad all the time: no fraud."""
    return [_cardholder(number, Random(f"{seed}/card/{number}"), directory, traveller_share) for number in range(count)]


_COUNTRY_WEIGHT = {country.code: country.weight for country in COUNTRIES}
_CITIES_IN = {code: sum(city.country == code for city in CITIES) for code in _COUNTRY_WEIGHT}
_HOMES = Weighted((city, _COUNTRY_WEIGHT[city.country] / _CITIES_IN[city.country]) for city in CITIES)
_BRANDS: Weighted[str] = Weighted(BRANDS)
_METHODS: Weighted[str] = Weighted(PAYMENT_METHODS)


def _cardholder(number: int, random: Random, directory: Directory, traveller_share: float) -> Cardholder:
    home = place = _HOMES.draw(random)
    if random.random() < traveller_share:
        place = random.choice([city for city in CITIES if city.country != home.country])
    return Cardholder(
        card_id=f"card_{number:08d}",
        user_id=f"user_{number:09d}",
        account_id=f"ACC-{random.randrange(10**8):08d}",
        brand=_BRANDS.draw(random),
        last4=f"{random.randrange(10_000):04d}",
        account_age_days=1 + min(20_000, int(random.expovariate(1 / 900))),
        payment_method=_METHODS.draw(random),
        home=home,
        latitude=round(home.latitude + random.gauss(0, 0.05), 6),
        longitude=round(home.longitude + random.gauss(0, 0.05), 6),
        place=place,
        currency=CURRENCY[home.country],
        spending=math.exp(random.gauss(0, 0.45)),
        shops=[directory.popular_in[place.name].draw(random) for _ in range(8)],
        devices=[device_id(random) for _ in range(1 if random.random() < 0.7 else 2)],
        ip_address=public_ip(random),
        awake=_waking_hours(place, 20 if random.random() < 0.04 else random.choice((5, 6, 7, 8, 9))),
    )


def _waking_hours(place: City, wakes_hour: int) -> tuple[bool, ...]:
    """Sixteen hours from the local hour of waking on, as hours in UTC."""
    return tuple((hour_utc + place.utc_offset_hours - wakes_hour) % 24 < 16 for hour_utc in range(24))
