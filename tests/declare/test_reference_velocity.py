"""The velocity features of the reference definitions, declared: the same values of the same transactions."""

from typing import Any

import msgspec

from features.money import minor_per_major
from producers.profiles import make_profile
from tests.declare.test_reference_records import DeclaredTransaction, amount_minor
from tests.reference import GROUPS
from twinstream import (
    FeatureGroup,
    by,
    count,
    distinct,
    feature,
    last,
    max,
    rate,
    since_previous,
    std,
    sum,
    truncated,
)
from twinstream.registry import Registry
from twinstream.testing import Driver

Transaction = DeclaredTransaction


class Velocity(
    FeatureGroup,
    event=Transaction,
    topic="transactions",
    entity=Transaction.card_id,
    time=Transaction.event_time,
    id=Transaction.transaction_id,
    name="transaction",
):
    txn_count = count()
    txn_per_minute = rate()
    seconds_since_previous = since_previous()
    declined_count = count(where=lambda transaction: transaction.auth_result == "declined")
    distinct_merchants = distinct(Transaction.merchant_id)
    distinct_countries = distinct(Transaction.country)
    distinct_devices = distinct(Transaction.device_id)
    distinct_currencies = distinct(Transaction.currency)
    window_truncated = truncated()

    _currency = last(Transaction.currency)
    _sum = by(Transaction.currency, sum(amount_minor))
    _count = by(Transaction.currency, count())
    _std = by(Transaction.currency, std(amount_minor))
    _max = by(Transaction.currency, max(amount_minor))

    @feature(unit="major units")
    def amount_sum(self) -> float | None:
        """Sum of the amounts in the newest payment's currency."""
        return self._in_major(self._sum)

    @feature(unit="major units")
    def amount_max(self) -> float | None:
        """Largest amount in the newest payment's currency."""
        return self._in_major(self._max)

    @feature(unit="major units")
    def amount_mean(self) -> float | None:
        """Mean of the amounts in the newest payment's currency: one division."""
        currency = self._currency
        if currency is None:
            return None
        return self._sum[currency] / (self._count[currency] * minor_per_major(currency))

    @feature(unit="major units")
    def amount_std(self) -> float | None:
        """Standard deviation of the amounts in the newest payment's currency."""
        return self._in_major(self._std)

    def _in_major(self, minor: Any) -> float | None:
        currency = self._currency
        return None if currency is None else minor[currency] / minor_per_major(currency)


def vectors(registry: Registry) -> list[dict[str, Any]]:
    """The feature log of a thousand transactions of a few cards, some of them late."""
    driver = Driver(registry)
    profile = make_profile("transactions", 11)
    for number in range(1_000):
        driver.now_ms += 400
        record = profile.record(driver.now_ms - 15_000 * (number % 7 == 0))
        driver.send("transactions", msgspec.json.encode(record | {"card_id": f"c{number % 5}"}), key=f"c{number % 5}")
    driver.run()
    return [record.features for record in driver.feature_records("transaction")]


def test_declared_velocity_has_the_values_of_the_functions_written_by_hand() -> None:
    by_hand, declared = vectors(Registry([GROUPS["transaction"]])), vectors(Registry([Velocity]))
    assert len(declared) == len(by_hand) > 900
    for one, other in zip(declared, by_hand, strict=True):
        deviation, expected = one.pop("amount_std"), other["amount_std"]
        assert one == {name: other[name] for name in one}
        assert abs(deviation - expected) <= 1e-12 * expected  # in minor units, then divided: rounded twice
