"""Merchants: what they are, what things cost there, and where they stand. Categories are one plain table."""

from random import Random
from typing import NamedTuple

from producers.world.places import CITIES, City
from producers.world.weighted import Weighted


class Category(NamedTuple):
    """A line of business: its ISO 18245 merchant category code and what one visit costs (median, US dollars)."""

    mcc: int
    channel: str
    median_usd: float
    spread: float
    """Standard deviation of the logarithm of an amount."""
    weight: float
    """How often people go there, against the other categories of the channel."""
    names: tuple[str, ...]


CATEGORIES = (
    Category(5411, "pos", 42.0, 0.6, 26, ("Fresh Basket", "Corner Market", "Green Grocer", "Daily Foods")),
    Category(5812, "pos", 34.0, 0.5, 16, ("Blue Door Bistro", "Casa Verde", "Noodle House", "The Oak Table")),
    Category(5814, "pos", 9.5, 0.4, 18, ("Quick Bite", "Burger Yard", "Bean Street Coffee", "Taco Stop")),
    Category(5541, "pos", 47.0, 0.4, 9, ("Star Fuel", "Highway Petrol", "City Gas")),
    Category(5912, "pos", 21.0, 0.6, 9, ("Well Pharmacy", "Green Cross Drugs")),
    Category(5651, "pos", 64.0, 0.6, 7, ("Urban Thread", "Denim Works", "Family Outfitters")),
    Category(5732, "pos", 210.0, 0.8, 3, ("Circuit City Shop", "Volt Electronics")),
    Category(5712, "pos", 340.0, 0.8, 1.2, ("Nest Furniture", "Oak and Pine")),
    Category(5944, "pos", 420.0, 0.9, 0.6, ("Silver Lane Jewellers", "Gold House")),
    Category(7011, "pos", 180.0, 0.6, 1.5, ("Harbour Hotel", "Central Inn")),
    Category(4111, "pos", 4.2, 0.4, 9, ("Metro Transit", "City Trams")),
    Category(6011, "atm", 100.0, 0.6, 1, ("First Bank ATM", "Savings Bank ATM", "Airport ATM")),
    Category(5311, "ecommerce", 48.0, 0.8, 26, ("Everything Store", "Mega Bazaar")),
    Category(5816, "ecommerce", 14.0, 0.7, 15, ("Pixel Games", "Play Hub")),
    Category(5815, "ecommerce", 11.0, 0.3, 16, ("StreamBox", "TuneCloud")),
    Category(5734, "ecommerce", 90.0, 0.8, 7, ("Byte Works", "Code Supply")),
    Category(4511, "ecommerce", 310.0, 0.7, 2, ("Blue Wing Air", "Trans Air")),
    Category(4121, "ecommerce", 16.0, 0.5, 14, ("Ride Now", "Green Cab")),
    Category(5999, "ecommerce", 75.0, 1.0, 6, ("Gadget Planet", "Gift Harbour")),
    Category(7995, "ecommerce", 55.0, 0.9, 2, ("Lucky Wheel", "Ace Tables")),
    Category(8398, "ecommerce", 12.0, 0.7, 2, ("Open Hands Charity", "Food for All")),
)


class Merchant(NamedTuple):
    """One shop. An online shop stands nowhere; its place is the buyer's."""

    merchant_id: str
    name: str
    category: Category
    city: City | None
    latitude: float
    longitude: float


class Directory:
    """All merchants: the online ones, and shops and cash machines by city; popular kinds are drawn more often."""

    def __init__(self, random: Random, per_category: int = 3) -> None:
        self.online: list[Merchant] = []
        self.by_city: dict[str, list[Merchant]] = {city.name: [] for city in CITIES}
        self.atms: dict[str, list[Merchant]] = {city.name: [] for city in CITIES}
        for category in CATEGORIES:
            if category.channel == "ecommerce":
                self.online += [self._merchant(random, category, None, name) for name in category.names]
                continue
            for city in CITIES:
                shops = self.by_city if category.channel == "pos" else self.atms
                for number in range(per_category):
                    name = f"{category.names[number % len(category.names)]} {city.name}"
                    shops[city.name].append(self._merchant(random, category, city, name))
        self.popular_online = _by_popularity(self.online)
        self.popular_in = {city: _by_popularity(shops) for city, shops in self.by_city.items()}

    def _merchant(self, random: Random, category: Category, city: City | None, name: str) -> Merchant:
        number = random.randrange(100_000)
        latitude = longitude = 0.0
        if city is not None:
            latitude = round(city.latitude + random.gauss(0, 0.03), 6)
            longitude = round(city.longitude + random.gauss(0, 0.03), 6)
        return Merchant(f"mer_{category.mcc}_{number:05d}", name, category, city, latitude, longitude)


def _by_popularity(merchants: list[Merchant]) -> Weighted[Merchant]:
    return Weighted((merchant, merchant.category.weight) for merchant in merchants)
