"""Stories: what a cardholder, or somebody with the cardholder's card, does over several transactions.

A story is a list of purchases, each with the pause since the one before it. Legitimate look-alikes (a traveller,
holiday shopping, a forgotten PIN, a VPN) stand beside the frauds, so that no single field gives a fraud away.
"""

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from producers.world.merchants import Directory, Merchant
from producers.world.people import Cardholder, device_id, public_ip
from producers.world.places import CITIES, CURRENCY, City, local_amount


class Purchase(NamedTuple):
    """One step of a story: what is bought where, and by whom really."""

    pause_ms: int
    """Time since the step before, in the same city; a card takes longer to another one (`producers.profiles.cards`)."""
    merchant: Merchant
    amount: float
    currency: str
    city: City
    latitude: float
    longitude: float
    device: str | None
    ip_address: str | None
    payment_method: str
    approved: bool
    fraud: bool


class Scene:
    """A cardholder about to spend: draws purchases with the run's random numbers."""

    def __init__(self, holder: Cardholder, directory: Directory, random: Random) -> None:
        self.holder = holder
        self.directory = directory
        self.random = random

    def pause(self, mean_seconds: float) -> int:
        """A pause in ms, exponential around the mean and at least a second."""
        return 1_000 + int(-math.log(1.0 - self.random.random()) * mean_seconds * 1_000)

    def spend(self, merchant: Merchant, factor: float = 1.0) -> float:
        """What one visit costs this cardholder there, in dollars."""
        category = merchant.category
        return category.median_usd * self.holder.spending * factor * math.exp(self.random.gauss(0, category.spread))

    def online_merchant(self) -> Merchant:
        """An online shop, popular ones more often."""
        return self.directory.popular_online.draw(self.random)

    def shop_in(self, city: City) -> Merchant:
        """A shop of a city, popular kinds more often."""
        return self.directory.popular_in[city.name].draw(self.random)

    def in_store(
        self, pause_ms: int, merchant: Merchant, usd: float, *, approved: bool = True, fraud: bool = False
    ) -> Purchase:
        """A purchase with the card in hand, where the merchant stands."""
        city = merchant.city or self.holder.place
        currency = CURRENCY[city.country]
        return Purchase(
            pause_ms,
            merchant,
            local_amount(usd, currency),
            currency,
            city,
            merchant.latitude,
            merchant.longitude,
            None,
            None,
            self.holder.payment_method,
            approved,
            fraud,
        )

    def online(
        self,
        pause_ms: int,
        merchant: Merchant,
        usd: float,
        *,
        city: City | None = None,
        device: str | None = None,
        ip_address: str | None = None,
        approved: bool = True,
        fraud: bool = False,
    ) -> Purchase:
        """A purchase over the network; by the owner from where the owner is, unless told otherwise."""
        holder = self.holder
        away = city is not None or holder.place is not holder.home
        city = city or holder.place
        return Purchase(
            pause_ms,
            merchant,
            local_amount(usd, holder.currency),
            holder.currency,
            city,
            city.latitude if away else holder.latitude,
            city.longitude if away else holder.longitude,
            device or holder.devices[0],
            ip_address or holder.ip_address,
            holder.payment_method,
            approved,
            fraud,
        )

    def far_city(self) -> City:
        """A city abroad, as seen from where the owner is."""
        while True:
            city = CITIES[int(self.random.random() * len(CITIES))]
            if city.country != self.holder.place.country:
                return city


Story = Callable[[Scene], list[Purchase]]


def errands(scene: Scene) -> list[Purchase]:
    """One to four of the usual shops, a minute or so apart."""
    stops = 1 + int(scene.random.random() ** 2 * 4)
    shops = scene.holder.shops
    purchases = []
    for _ in range(stops):
        merchant = shops[int(scene.random.random() * len(shops))]
        approved = scene.random.random() > 0.02
        purchases.append(scene.in_store(scene.pause(80), merchant, scene.spend(merchant), approved=approved))
    return purchases


def browsing(scene: Scene) -> list[Purchase]:
    """One to three online purchases, now and then from the other device."""
    random = scene.random
    purchases = []
    for _ in range(1 + int(random.random() ** 2 * 3)):
        merchant = scene.online_merchant()
        device = scene.holder.devices[-1 if random.random() < 0.3 else 0]
        approved = random.random() > 0.03
        pause = scene.pause(70)
        purchases.append(scene.online(pause, merchant, scene.spend(merchant), device=device, approved=approved))
    return purchases


def big_ticket(scene: Scene) -> list[Purchase]:
    """A sofa, a laptop, a flight: one honest purchase of many times the usual amount."""
    merchant = scene.shop_in(scene.holder.place) if scene.random.random() < 0.5 else scene.online_merchant()
    usd = scene.spend(merchant, 4.0) + 250.0 * scene.holder.spending
    if merchant.city is None:
        return [scene.online(0, merchant, usd)]
    return [scene.in_store(0, merchant, usd)]


def forgotten_pin(scene: Scene) -> list[Purchase]:
    """Declined once or twice, then approved, at the same till."""
    merchant = scene.shop_in(scene.holder.place)
    usd = scene.spend(merchant)
    tries = 1 + int(scene.random.random() * 2)
    failures = [scene.in_store(scene.pause(10), merchant, usd, approved=False) for _ in range(tries)]
    return [*failures, scene.in_store(scene.pause(10), merchant, usd)]


def cash(scene: Scene) -> list[Purchase]:
    """Cash from a machine near by."""
    atms = scene.directory.atms[scene.holder.place.name]
    atm = atms[int(scene.random.random() * len(atms))]
    return [scene.in_store(0, atm, 20.0 * (1 + int(scene.random.random() * 10)))]


def holiday_shopping(scene: Scene) -> list[Purchase]:
    """Presents for everybody: five to ten shops and higher amounts within some minutes."""
    purchases = []
    for _ in range(5 + int(scene.random.random() * 6)):
        merchant = scene.shop_in(scene.holder.place)
        purchases.append(scene.in_store(scene.pause(50), merchant, scene.spend(merchant, 1.8)))
    return purchases


def behind_a_vpn(scene: Scene) -> list[Purchase]:
    """The owner online through a server abroad: another country, the same device."""
    city, address = scene.far_city(), public_ip(scene.random)
    purchases = []
    for _ in range(1 + int(scene.random.random() * 2)):
        merchant = scene.online_merchant()
        usd = scene.spend(merchant)
        purchases.append(scene.online(scene.pause(60), merchant, usd, city=city, ip_address=address))
    return purchases


def card_testing(scene: Scene) -> list[Purchase]:
    """A stolen number tried with tiny amounts, many refused; then one or two real purchases."""
    random = scene.random
    city, device, address = scene.far_city(), device_id(random), public_ip(random)
    purchases = []
    for _ in range(7 + int(random.random() * 7)):
        merchant, approved = scene.online_merchant(), random.random() > 0.45
        usd = 0.5 + random.random() * 2.5
        step = scene.online(
            scene.pause(8), merchant, usd, city=city, device=device, ip_address=address, approved=approved, fraud=True
        )
        purchases.append(step)
    for _ in range(1 + int(random.random() * 2)):
        merchant = scene.online_merchant()
        usd = 120.0 + random.random() * 500.0
        step = scene.online(scene.pause(15), merchant, usd, city=city, device=device, ip_address=address, fraud=True)
        purchases.append(step)
    return purchases


def account_takeover(scene: Scene) -> list[Purchase]:
    """The owner has just paid; then somebody else signs in from a new device abroad and buys what sells easily."""
    random = scene.random
    city, device, address = scene.far_city(), device_id(random), public_ip(random)
    purchases = browsing(scene)[:1] if random.random() < 0.7 else []
    for _ in range(3 + int(random.random() * 4)):
        merchant, approved = scene.online_merchant(), random.random() > 0.2
        usd = 25.0 + math.exp(random.gauss(4.2, 0.8))
        step = scene.online(
            scene.pause(30), merchant, usd, city=city, device=device, ip_address=address, approved=approved, fraud=True
        )
        purchases.append(step)
    return purchases


def impossible_travel(scene: Scene) -> list[Purchase]:
    """The owner pays at home; minutes later a copy of the card pays on another continent, and the owner goes on."""
    random = scene.random
    city = scene.far_city()
    shops = scene.holder.shops
    purchases = []
    for step in range(3 + int(random.random() * 3)):
        own = step == 0 or (step == 2 and random.random() < 0.6)
        merchant = shops[int(random.random() * len(shops))] if own else scene.shop_in(city)
        usd = scene.spend(merchant, 1.0 if own else 1.4)
        purchases.append(scene.in_store(scene.pause(45), merchant, usd, fraud=not own))
    return purchases


def bust_out(scene: Scene) -> list[Purchase]:
    """The limit is emptied at once: own place and device, amounts that grow, refusals at the end."""
    random = scene.random
    steps = 8 + int(random.random() * 7)
    purchases = []
    for step in range(steps):
        merchant = scene.shop_in(scene.holder.place)
        approved = step < steps - 3 or random.random() < 0.3
        usd = scene.spend(merchant, 1.0 + 2.5 * step / steps)
        purchases.append(scene.in_store(scene.pause(18), merchant, usd, approved=approved, fraud=True))
    return purchases


LEGITIMATE: tuple[tuple[Story, float], ...] = (
    (errands, 52),
    (browsing, 35),
    (cash, 4),
    (big_ticket, 3.5),
    (forgotten_pin, 2),
    (holiday_shopping, 2),
    (behind_a_vpn, 1.5),
)
"""What honest people do, and how often."""

FRAUDS: tuple[Story, ...] = (card_testing, account_takeover, impossible_travel, bust_out)
"""What thieves do; each as often as the others."""

AT_HOME: tuple[Story, Story] = (errands, bust_out)
"""Where no story may go abroad: what honest people do, and what thieves do."""
