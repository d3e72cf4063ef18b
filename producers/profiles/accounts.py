"""Account activity: card transactions of bank accounts in one country. The pools are plain tables; edit them freely."""

import math
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from producers.records import Transaction, iso_utc
from producers.world.people import PAYMENT_METHODS, device_id, public_ip
from producers.world.places import local_amount
from producers.world.weighted import Weighted


class Shop(NamedTuple):
    """A merchant: category code, channel and what a visit costs (median, US dollars)."""

    name: str
    mcc: int
    channel: str
    median_usd: float


class Town(NamedTuple):
    """A city and its position in degrees."""

    name: str
    latitude: float
    longitude: float


class Locale(NamedTuple):
    """What account activity looks like in one country."""

    country: str
    currency: str
    towns: tuple[Town, ...]
    shops: tuple[Shop, ...]
    brands: tuple[tuple[str, float], ...]
    abroad: tuple[tuple[str, Town], ...]
    """Where stolen cards are used: country and city."""


_ABROAD = (
    ("US", Town("Miami", 25.7617, -80.1918)),
    ("GB", Town("London", 51.5074, -0.1278)),
    ("JP", Town("Tokyo", 35.6762, 139.6503)),
)

ACCOUNT_LOCALES: dict[str, Locale] = {
    "pt_BR": Locale(
        country="BR",
        currency="BRL",
        towns=(
            Town("São Paulo", -23.5505, -46.6333),
            Town("Rio de Janeiro", -22.9068, -43.1729),
            Town("Belo Horizonte", -19.9167, -43.9345),
            Town("Brasília", -15.7975, -47.8919),
            Town("Salvador", -12.9777, -38.5016),
            Town("Fortaleza", -3.7319, -38.5267),
            Town("Curitiba", -25.4284, -49.2733),
            Town("Recife", -8.0476, -34.8770),
            Town("Porto Alegre", -30.0346, -51.2177),
            Town("Manaus", -3.1190, -60.0217),
        ),
        shops=(
            Shop("Padaria Pão Dourado", 5814, "pos", 4.0),
            Shop("Supermercado Bom Preço do Bairro", 5411, "pos", 38.0),
            Shop("Posto Estrela do Sul", 5541, "pos", 32.0),
            Shop("Farmácia Saúde Já", 5912, "pos", 14.0),
            Shop("Restaurante Sabor de Minas", 5812, "pos", 16.0),
            Shop("Loja Moda Carioca", 5651, "pos", 36.0),
            Shop("Eletro Casa Nova", 5732, "pos", 240.0),
            Shop("Metrô da Cidade", 4111, "pos", 1.0),
            Shop("Mercado Digital", 5311, "ecommerce", 35.0),
            Shop("Filmes e Séries Online", 5815, "ecommerce", 8.0),
            Shop("Viagens Azul Celeste", 4511, "ecommerce", 180.0),
            Shop("Carona Rápida", 4121, "ecommerce", 5.0),
            Shop("Caixa Eletrônico Central", 6011, "atm", 60.0),
        ),
        brands=(("visa", 45), ("mastercard", 40), ("elo", 13), ("amex", 2)),
        abroad=_ABROAD,
    ),
    "en_US": Locale(
        country="US",
        currency="USD",
        towns=(
            Town("New York", 40.7128, -74.0060),
            Town("Chicago", 41.8781, -87.6298),
            Town("Houston", 29.7604, -95.3698),
            Town("Phoenix", 33.4484, -112.0740),
            Town("Seattle", 47.6062, -122.3321),
        ),
        shops=(
            Shop("Main Street Diner", 5812, "pos", 24.0),
            Shop("Fresh Basket", 5411, "pos", 52.0),
            Shop("Highway Petrol", 5541, "pos", 41.0),
            Shop("Well Pharmacy", 5912, "pos", 19.0),
            Shop("Everything Store", 5311, "ecommerce", 46.0),
            Shop("StreamBox", 5815, "ecommerce", 13.0),
            Shop("First Bank ATM", 6011, "atm", 100.0),
        ),
        brands=(("visa", 52), ("mastercard", 33), ("amex", 15)),
        abroad=(("BR", Town("São Paulo", -23.5505, -46.6333)), *_ABROAD[1:]),
    ),
}
"""Pools by locale."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, its card and its owner."""

    account_id: str
    card_id: str
    user_id: str
    brand: str
    last4: str
    age_days: int
    town: Town
    payment_method: str
    device: str
    ip_address: str
    spending: float


_METHODS: Weighted[str] = Weighted(PAYMENT_METHODS)


class AccountTransactions:
    """The account transaction that happens at a given time, as a profile."""

    name = "accounts"
    topic = "transactions"
    schema = "transaction"
    key_field = "card_id"

    def __init__(
        self, seed: int | str = 42, *, locale: str = "pt_BR", fraud_ratio: float = 0.15, run: int | str = ""
    ) -> None:
        self._book = AccountBook(ACCOUNT_LOCALES[locale], seed, run=run)
        self._fraud_ratio = fraud_ratio
        self._random = Random(f"{seed}/{run}/account-frauds")

    def record(self, time_ms: int) -> Transaction:
        """The transaction that happens at `time_ms` (epoch milliseconds)."""
        return self._book.transaction(time_ms, fraud=self._random.random() < self._fraud_ratio)


class AccountBook:
    """The accounts of a locale and their transactions; accounts named by a caller are opened on the spot."""

    def __init__(self, locale: Locale, seed: int | str = 42, *, accounts: int = 200, run: int | str = "") -> None:
        self.locale = locale
        self._seed = seed
        self._brands: Weighted[str] = Weighted(locale.brands)
        self._random = Random(f"{seed}/{run}/accounts")
        self._ids = f"txn_{self._random.getrandbits(40):010x}"
        self._made = 0
        numbers = Random(f"{seed}/account-numbers")
        self.account_ids = [f"ACC-{number:08d}" for number in numbers.sample(range(10**8), accounts)]
        self._accounts: dict[str, Account] = {}

    def account(self, account_id: str) -> Account:
        """The account of that id: the same owner and card each time."""
        account = self._accounts.get(account_id)
        if account is None:
            account = self._accounts[account_id] = self._open(account_id)
        return account

    def transaction(self, time_ms: int, *, fraud: bool, account_id: str | None = None) -> Transaction:
        """A transaction at `time_ms`; fraud is dear, from another device and mostly abroad."""
        random = self._random
        account = self.account(account_id or random.choice(self.account_ids))
        shop = random.choice(self.locale.shops)
        country, town = self.locale.country, account.town
        usd = shop.median_usd * account.spending * math.exp(random.gauss(0, 0.5))
        if fraud:
            usd = usd * random.uniform(3, 12) + 40.0
            if random.random() < 0.6:
                country, town = random.choice(self.locale.abroad)
        self._made += 1
        online = shop.channel == "ecommerce"
        return {
            "transaction_id": f"{self._ids}_{self._made:08d}",
            "event_time": iso_utc(time_ms),
            "card_id": account.card_id,
            "card_brand": account.brand,
            "card_last4": account.last4,
            "account_id": account.account_id,
            "user_id": account.user_id,
            "account_age_days": account.age_days,
            "amount": local_amount(usd, self.locale.currency),
            "currency": self.locale.currency,
            "merchant_id": f"mer_{shop.mcc}_{self.locale.shops.index(shop):05d}",
            "merchant_name": shop.name,
            "mcc_code": shop.mcc,
            "channel": shop.channel,
            "card_present": not online,
            "payment_method": account.payment_method,
            "country": country,
            "city": town.name,
            "latitude": round(town.latitude + random.uniform(-0.03, 0.03), 6),
            "longitude": round(town.longitude + random.uniform(-0.03, 0.03), 6),
            "device_id": (device_id(random) if fraud else account.device) if online else None,
            "ip_address": (public_ip(random) if fraud else account.ip_address) if online else None,
            "auth_result": "declined" if random.random() < (0.25 if fraud else 0.03) else "approved",
            "label_fraud": fraud,
        }

    def _open(self, account_id: str) -> Account:
        random = Random(f"{self._seed}/account/{account_id}")
        number = random.randrange(10**8)
        return Account(
            account_id=account_id,
            card_id=f"card_{number:08d}",
            user_id=f"user_{number:09d}",
            brand=self._brands.draw(random),
            last4=f"{random.randrange(10_000):04d}",
            age_days=1 + min(20_000, int(random.expovariate(1 / 900))),
            town=random.choice(self.locale.towns),
            payment_method=_METHODS.draw(random),
            device=device_id(random),
            ip_address=public_ip(random),
            spending=math.exp(random.gauss(0, 0.4)),
        )
