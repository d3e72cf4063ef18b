"""Single card transactions on demand: `TransactionGenerator` with four fraud patterns, and the pt_BR accounts."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from producers.clock import Clock, SystemClock
from producers.profiles.accounts import ACCOUNT_LOCALES, AccountBook
from producers.profiles.cards import card_transaction
from producers.records import Transaction
from producers.stories import Purchase, Scene, browsing, errands
from producers.world.merchants import Directory
from producers.world.people import Cardholder, make_cardholders
from producers.world.places import local_amount
from twinstream.errors import UserError

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

Draft = list[tuple[int, Purchase]]
"""Transactions to come of one card: how long before now each one happens (ms), and what it is."""


def high_amount(scene: Scene, now_ms: int) -> Draft:
    """Ten to thirty times what such a purchase usually costs."""
    merchant = scene.online_merchant()
    return [(0, scene.online(0, merchant, scene.spend(merchant, scene.random.uniform(10, 30)) + 400.0, fraud=True))]


def unusual_hour(scene: Scene, now_ms: int) -> Draft:
    """Between two and four in the morning, where the owner lives: the last such hour."""
    merchant = scene.online_merchant()
    local_ms = now_ms + scene.holder.place.utc_offset_hours * _HOUR_MS
    since_two = (local_ms - 2 * _HOUR_MS) % _DAY_MS
    ago_ms = since_two - int(scene.random.random() * min(since_two, 2 * _HOUR_MS))
    return [(ago_ms, scene.online(0, merchant, scene.spend(merchant, 2.0), fraud=True))]


def distance_from_home(scene: Scene, now_ms: int) -> Draft:
    """With the card in hand, in a country where the owner is not."""
    merchant = scene.shop_in(scene.far_city())
    return [(0, scene.in_store(0, merchant, scene.spend(merchant), fraud=True))]


def rapid_succession(scene: Scene, now_ms: int) -> Draft:
    """Three to five purchases within seconds."""
    steps = 3 + int(scene.random.random() * 3)
    draft = []
    for step in range(steps):
        merchant = scene.online_merchant()
        ago_ms = (steps - 1 - step) * 3_000 + int(scene.random.random() * 2_000)
        draft.append((ago_ms, scene.online(0, merchant, scene.spend(merchant), fraud=True)))
    return draft


FRAUD_PATTERNS: dict[str, Callable[[Scene, int], Draft]] = {
    "high_amount": high_amount,
    "unusual_hour": unusual_hour,
    "distance_from_home": distance_from_home,
    "rapid_succession": rapid_succession,
}
"""The patterns by name; add a function to add one."""


class TransactionGenerator:
    """Card transactions that happen now, a share of them fraud in one of `FRAUD_PATTERNS`.

    >>> from producers.clock import ManualClock
    >>> generator = TransactionGenerator(seed=1, clock=ManualClock(1_700_000_000_000))
    >>> generator.generate_transaction(is_fraud=True)["label_fraud"]
    True
    """

    def __init__(
        self,
        fraud_ratio: float = 0.05,
        seed: int | str = 42,
        *,
        cards: int = 1_000,
        clock: Clock | None = None,
        run: int | str = "",
    ) -> None:
        """`run` tells runs of the same seed apart: it changes what happens, not who lives where."""
        if not 0 <= fraud_ratio <= 1:
            raise UserError(f"The fraud ratio is {fraud_ratio}; expected a share from 0 to 1.")
        self.fraud_ratio = fraud_ratio
        self._clock = clock or SystemClock()
        self._directory = Directory(Random(f"{seed}/merchants"))
        self.cardholders = make_cardholders(cards, str(seed), self._directory)
        self._random = Random(f"{seed}/{run}/generator")
        self._ids = f"txn_{self._random.getrandbits(40):010x}"
        self._made = 0
        self._burst: deque[tuple[int, Cardholder, Purchase]] = deque()

    def generate_transaction(self, is_fraud: bool | None = None) -> Transaction:
        """One transaction: fraud, honest, or by the ratio where it is left open."""
        if is_fraud is None:
            is_fraud = self._random.random() < self.fraud_ratio
        return self._fraud() if is_fraud else self._honest()

    def generate_batch(self, batch_size: int, fraud_ratio: float | None = None) -> list[Transaction]:
        """Several transactions, each fraud with the ratio's probability."""
        ratio = self.fraud_ratio if fraud_ratio is None else fraud_ratio
        return [self.generate_transaction(self._random.random() < ratio) for _ in range(batch_size)]

    def _honest(self) -> Transaction:
        holder = self._somebody()
        story = browsing if self._random.random() < 0.4 else errands
        return self._record(self._clock.now_ms(), holder, story(self._scene(holder))[0])

    def _fraud(self) -> Transaction:
        """The next one of the running pattern, or the first of a new one."""
        if not self._burst:
            holder, now_ms = self._somebody(), self._clock.now_ms()
            pattern = self._random.choice(tuple(FRAUD_PATTERNS.values()))
            self._burst += [
                (now_ms - ago_ms, holder, purchase) for ago_ms, purchase in pattern(self._scene(holder), now_ms)
            ]
        return self._record(*self._burst.popleft())

    def _record(self, time_ms: int, holder: Cardholder, purchase: Purchase) -> Transaction:
        self._made += 1
        return card_transaction(f"{self._ids}_{self._made:08d}", time_ms, holder, purchase)

    def _somebody(self) -> Cardholder:
        return self.cardholders[int(self._random.random() * len(self.cardholders))]

    def _scene(self, holder: Cardholder) -> Scene:
        return Scene(holder, self._directory, self._random)


class FakeTransactionGenerator:
    """Transactions of accounts (`ACC-` and eight digits) with the merchants, cities and currency of a locale."""

    def __init__(
        self, locale: str = "pt_BR", seed: int | str = 42, *, clock: Clock | None = None, run: int | str = ""
    ) -> None:
        if locale not in ACCOUNT_LOCALES:
            raise UserError(f"There is no locale {locale!r}; expected one of {', '.join(sorted(ACCOUNT_LOCALES))}.")
        self.locale = locale
        self._clock = clock or SystemClock()
        self._book = AccountBook(ACCOUNT_LOCALES[locale], seed, run=run)
        self._random = Random(f"{seed}/{run}/fake")

    def generate_transaction(
        self,
        force_fraud: bool | None = None,
        *,
        account_id: str | None = None,
        fraud_probability: float = 0.15,
        amount_usd: float | None = None,
        not_before_ms: int = 0,
    ) -> Transaction:
        """One transaction that happens now, of any account or a given one.

        Args:
            force_fraud: whether it is fraud; left open, `fraud_probability` decides.
            account_id: whose it is.
            fraud_probability: used while `force_fraud` is None.
            amount_usd: its amount in dollars, converted to the locale's currency; by default what fits.
            not_before_ms: the earliest event time, for a topic that is ahead of the clock.
        """
        fraud = self._random.random() < fraud_probability if force_fraud is None else force_fraud
        time_ms = max(not_before_ms, self._clock.now_ms())
        record = self._book.transaction(time_ms, fraud=fraud, account_id=account_id)
        if amount_usd is not None:
            record["amount"] = local_amount(amount_usd, record["currency"])
        return record

    def generate_batch(self, count: int, fraud_probability: float = 0.15, **options: Any) -> list[Transaction]:
        """Several transactions, each fraud with that probability."""
        return [self.generate_transaction(fraud_probability=fraud_probability, **options) for _ in range(count)]
