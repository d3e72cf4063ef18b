"""How much and how often: counts and amounts over the window, for transactions and orders alike."""

from math import sqrt

from features.payments import PaymentWindow
from twinstream import Family

velocity: Family[PaymentWindow] = Family("velocity")


@velocity.feature(unit="events", meaning="Payments of the entity in the window, this one included.")
def txn_count(window: PaymentWindow) -> int:
    return window.count


@velocity.feature(unit="major units", meaning="Sum of the amounts in the newest payment's currency.")
def amount_sum(window: PaymentWindow) -> float | None:
    money = window.money
    return None if money is None else money.total / money.minor_per_major


@velocity.feature(unit="major units", meaning="Mean of the amounts in the newest payment's currency.")
def amount_mean(window: PaymentWindow) -> float | None:
    money = window.money
    return None if money is None else money.total / (money.count * money.minor_per_major)


@velocity.feature(
    unit="major units",
    meaning="""Population standard deviation of the amounts in the newest payment's currency,
    sqrt(n Σx² - (Σx)²) / n from exact integers; 0 for a single payment.""",
)
def amount_std(window: PaymentWindow) -> float | None:
    money = window.money
    if money is None:
        return None
    count, total = money.count, money.total
    return sqrt(count * money.squares - total * total) / (count * money.minor_per_major)


@velocity.feature(unit="major units", meaning="Largest amount in the newest payment's currency.")
def amount_max(window: PaymentWindow) -> float | None:
    money = window.money
    if money is None:
        return None
    largest = money.largest.value
    return None if largest is None else largest / money.minor_per_major


@velocity.feature(unit="events/min", meaning="Payments in the window over the window's length.")
def txn_per_minute(window: PaymentWindow) -> float:
    return window.count * 60_000 / window.size_ms


@velocity.feature(
    unit="s", meaning="From the payment before to the newest one; null with fewer than two in the window."
)
def seconds_since_previous(window: PaymentWindow) -> float | None:
    newest, previous = window.newest, window.previous
    return None if newest is None or previous is None else (newest.time_ms - previous.time_ms) / 1000


@velocity.feature(
    unit="events", meaning="Declined payments in the window (an order carries no authorisation: always 0)."
)
def declined_count(window: PaymentWindow) -> int:
    return window.velocity.declined


@velocity.feature(unit="merchants", meaning="Different merchants in the window (of an order: brands).")
def distinct_merchants(window: PaymentWindow) -> int:
    return len(window.velocity.merchants)


@velocity.feature(unit="countries", meaning="Different countries in the window.")
def distinct_countries(window: PaymentWindow) -> int:
    return len(window.velocity.countries)


@velocity.feature(unit="devices", meaning="Different devices in the window (of an order: user agents).")
def distinct_devices(window: PaymentWindow) -> int:
    return len(window.velocity.devices)


@velocity.feature(unit="currencies", meaning="Different currencies in the window.")
def distinct_currencies(window: PaymentWindow) -> int:
    return len(window.velocity.currencies)
