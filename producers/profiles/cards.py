"""Card transactions: many stories at once, interleaved on one clock."""

from heapq import heappop, heappush
from random import Random

from producers.records import Transaction, iso_utc
from producers.stories import FRAUDS, LEGITIMATE, Purchase, Scene, Story
from producers.world.merchants import Directory
from producers.world.people import Cardholder, make_cardholders
from producers.world.weighted import Weighted

_HOUR_MS = 3_600_000
_LEGITIMATE: Weighted[Story] = Weighted(LEGITIMATE)


def card_transaction(transaction_id: str, time_ms: int, holder: Cardholder, purchase: Purchase) -> Transaction:
    """The record of a purchase with somebody's card."""
    merchant, city = purchase.merchant, purchase.city
    channel = merchant.category.channel
    return {
        "transaction_id": transaction_id,
        "event_time": iso_utc(time_ms),
        "card_id": holder.card_id,
        "card_brand": holder.brand,
        "card_last4": holder.last4,
        "account_id": holder.account_id,
        "user_id": holder.user_id,
        "account_age_days": holder.account_age_days,
        "amount": purchase.amount,
        "currency": purchase.currency,
        "merchant_id": merchant.merchant_id,
        "merchant_name": merchant.name,
        "mcc_code": merchant.category.mcc,
        "channel": channel,
        "card_present": channel != "ecommerce",
        "payment_method": purchase.payment_method,
        "country": city.country,
        "city": city.name,
        "latitude": purchase.latitude,
        "longitude": purchase.longitude,
        "device_id": purchase.device,
        "ip_address": purchase.ip_address,
        "auth_result": "approved" if purchase.approved else "declined",
        "label_fraud": purchase.fraud,
    }


class CardTransactions:
    """The card transaction that happens at a given time; times must not decrease.

    A running story continues when its next step is due; otherwise somebody starts a new one. So the caller's clock
    decides how many events there are, and the stories decide what they are. There are at most as many stories as cards:
    a caller who asks for more events than that allows gets their next steps early.
    """

    name = "transactions"
    topic = "transactions"
    schema = "transaction"
    key_field = "card_id"

    def __init__(
        self, seed: int | str = 42, *, cards: int = 400, fraud_ratio: float = 0.03, run: int | str = ""
    ) -> None:
        """`seed` makes the world (who lives where), `seed` and `run` together what happens in it."""
        if not 0 <= fraud_ratio < 1:
            raise ValueError(f"fraud_ratio is {fraud_ratio}; expected a share from 0 up to, not including, 1")
        self._directory = Directory(Random(f"{seed}/merchants"))
        self.cardholders = make_cardholders(cards, str(seed), self._directory)
        self._random = Random(f"{seed}/{run}/cards")
        self._ids = f"txn_{self._random.getrandbits(40):010x}"
        self._fraud_ratio = fraud_ratio
        self._running: list[tuple[int, int, Cardholder, list[Purchase]]] = []
        self._most_running = cards
        self._made = 0
        self._planned = 0
        self._planned_frauds = 0
        self._frauds = self._random.sample(FRAUDS, len(FRAUDS))

    def record(self, time_ms: int) -> Transaction:
        """The transaction that happens at `time_ms` (epoch milliseconds)."""
        running = self._running
        if running and (running[0][0] <= time_ms or len(running) >= self._most_running):
            _, _, holder, steps = heappop(running)
        else:
            holder, steps = self._new_story(time_ms)
        purchase = steps.pop()
        number = self._made = self._made + 1
        if steps:
            heappush(running, (time_ms + steps[-1].pause_ms, number, holder, steps))
        return card_transaction(f"{self._ids}_{number:08d}", time_ms, holder, purchase)

    def _new_story(self, time_ms: int) -> tuple[Cardholder, list[Purchase]]:
        """Somebody, and the steps of a new story, last one first."""
        holder = self._somebody(time_ms)
        steps = self._choose_story()(Scene(holder, self._directory, self._random))
        self._planned += len(steps)
        self._planned_frauds += sum(step.fraud for step in steps)
        steps.reverse()
        return holder, steps

    def _somebody(self, time_ms: int) -> Cardholder:
        hour = time_ms // _HOUR_MS % 24
        random, holders = self._random.random, self.cardholders
        for _ in range(4):
            holder = holders[int(random() * len(holders))]
            if holder.awake[hour] or random() < 0.05:
                break
        return holder

    def _choose_story(self) -> Story:
        """A fraud now and then, more readily while their share is below the ratio asked for."""
        missing = self._fraud_ratio * (self._planned + 1) - self._planned_frauds
        if missing > 0 and self._random.random() < min(1.0, 2 * self._fraud_ratio):
            story = self._frauds.pop()
            if not self._frauds:
                self._frauds = self._random.sample(FRAUDS, len(FRAUDS))
            return story
        return _LEGITIMATE.draw(self._random)
