"""Card transactions: many stories at once, interleaved on one clock."""

from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

from producers.records import Transaction, iso_utc
from producers.stories import AT_HOME, FRAUDS, LEGITIMATE, Purchase, Scene, Story
from producers.world.merchants import Directory
from producers.world.people import Cardholder, make_cardholders
from producers.world.places import City
from producers.world.weighted import Weighted

_HOUR_MS = 3_600_000
_LEGITIMATE: Weighted[Story] = Weighted(LEGITIMATE)

MOVE_MS = range(120_000, 240_000)
"""From one city to another; less than a window of five minutes, so that its features see both."""

_TRIES = 16
"""Cards to look at for one that a story would not make jump."""


class _Running(NamedTuple):
    """A story that goes on at `due_ms`; the number of its last transaction decides ties."""

    due_ms: int
    number: int
    holder: Cardholder
    steps: list[Purchase]


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

    A running story continues when its next step is due; otherwise somebody who has none starts a new one. So the
    caller's clock decides how many events there are, and the stories decide what they are. There are at most as many
    stories as cards: a caller who asks for more events than that allows gets their next steps early.

    Between two cities a card takes minutes (`MOVE_MS`), as in real fraud: only a thief with a copy is that fast at all.
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
        self._idle = list(self.cardholders)
        self._staying: list[_Running] = []
        self._moving: list[_Running] = []
        self._last: dict[str, tuple[int, City]] = {}
        self._made = 0
        self._planned = 0
        self._planned_frauds = 0
        self._frauds = self._random.sample(FRAUDS, len(FRAUDS))

    def record(self, time_ms: int) -> Transaction:
        """The transaction that happens at `time_ms` (epoch milliseconds)."""
        holder, steps = self._continued(time_ms) or self._new_story(time_ms)
        purchase = steps.pop()
        number = self._made = self._made + 1
        self._last[holder.card_id] = time_ms, purchase.city
        goes_on_in = steps[-1].city if steps else holder.place
        if goes_on_in is not purchase.city:
            heappush(self._moving, _Running(time_ms + self._move_ms(), number, holder, steps))
        elif steps:
            heappush(self._staying, _Running(time_ms + steps[-1].pause_ms, number, holder, steps))
        else:
            self._idle.append(holder)
        return card_transaction(f"{self._ids}_{number:08d}", time_ms, holder, purchase)

    def _continued(self, time_ms: int) -> tuple[Cardholder, list[Purchase]] | None:
        """The story that goes on now: one whose next step is due, or the next of those that stay if all are busy."""
        staying, moving, idle = self._staying, self._moving, self._idle
        while moving and (moving[0].due_ms <= time_ms or not (staying or idle)):
            _, _, holder, steps = heappop(moving)
            if steps:
                return holder, steps
            idle.append(holder)  # back at home
        if staying and (staying[0].due_ms <= time_ms or not idle):
            return heappop(staying)[2:]
        return None

    def _new_story(self, time_ms: int) -> tuple[Cardholder, list[Purchase]]:
        """Somebody, and the steps of a new story, last one first."""
        story = self._choose_story()
        for tries in range(_TRIES + 1):
            place = self._somebody(time_ms)
            holder = self._idle[place]
            if tries == _TRIES:  # everybody has just paid: then what happens, happens at home
                story = AT_HOME[story in FRAUDS]
            steps = story(Scene(holder, self._directory, self._random))
            if not self._would_move(holder, steps[0].city, time_ms):
                break
        self._idle[place] = self._idle[-1]
        self._idle.pop()
        self._planned += len(steps)
        self._planned_frauds += sum(step.fraud for step in steps)
        steps.reverse()
        return holder, steps

    def _would_move(self, holder: Cardholder, city: City, time_ms: int) -> bool:
        """Whether the card has just been in another city."""
        last_ms, last_city = self._last.get(holder.card_id, (0, city))
        return city is not last_city and time_ms - last_ms < MOVE_MS.start

    def _move_ms(self) -> int:
        """How long a card takes to another city."""
        return MOVE_MS.start + int(self._random.random() * len(MOVE_MS))

    def _somebody(self, time_ms: int) -> int:
        """Where among the idle stands somebody who is up, most of the time."""
        hour = time_ms // _HOUR_MS % 24
        random, idle = self._random.random, self._idle
        for _ in range(4):
            place = int(random() * len(idle))
            if idle[place].awake[hour] or random() < 0.05:
                break
        return place

    def _choose_story(self) -> Story:
        """A fraud now and then, more readily while their share is below the ratio asked for."""
        missing = self._fraud_ratio * (self._planned + 1) - self._planned_frauds
        if missing > 0 and self._random.random() < min(1.0, 2 * self._fraud_ratio):
            story = self._frauds.pop()
            if not self._frauds:
                self._frauds = self._random.sample(FRAUDS, len(FRAUDS))
            return story
        return _LEGITIMATE.draw(self._random)
