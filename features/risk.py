"""How suspicious the newest transaction looks: named rules, each with a weight, combined into one score.

Every rule looks at one input and answers how badly it is violated, from 0 (does not fire) to 1000; a worse input never
gives a smaller answer. The score is the chance that at least one of the rules is right, if each were right
independently with probability weight × severity: `1 - Π (1 - weight × severity)`, computed in integers and divided
once. More or worse violations can only raise it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from features.catalog import Family
from features.geo import LocatedWindow

FULL = 1000
"""Severity of a rule that is violated as badly as can be, and the weight of one that is always right."""

HOUR_MS = 3_600_000
UNUSUAL_HOURS_UTC = range(1, 5)
FAST_KMH, IMPOSSIBLE_KMH = 500, 1_000
"""Faster than a train is suspicious; faster than an airliner's cruise is impossible."""


class RiskWindow(LocatedWindow):
    """A window over transactions, and which risk rules fire in it."""

    __slots__ = ("fired",)
    fired: "list[tuple[Rule, int]]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: its weight in thousandths, and the severity it sees in a window."""

    name: str
    weight: int
    severity: Callable[[LocatedWindow], int]


RULES: list[Rule] = []
"""By weight, then name: the order in which fired rules are named."""


def rule(weight: int) -> Callable[[Callable[[LocatedWindow], int]], Callable[[LocatedWindow], int]]:
    """Register the decorated function as a rule."""

    def register(severity: Callable[[LocatedWindow], int]) -> Callable[[LocatedWindow], int]:
        RULES.append(Rule(severity.__name__, weight, severity))
        RULES.sort(key=lambda entry: (-entry.weight, entry.name))
        return severity

    return register


def ramp(value: int, start: int, full: int) -> int:
    """Severity of a value: 0 below `start`, then half, rising evenly to FULL at `full`.

    >>> [ramp(value, 4, 8) for value in (3, 4, 6, 8, 99)]
    [0, 500, 750, 1000, 1000]
    """
    if value < start:
        return 0
    return min(FULL, FULL // 2 + FULL // 2 * (value - start) // (full - start))


@rule(weight=600)
def impossible_travel(window: LocatedWindow) -> int:
    """A jump of 50 km or more between neighbouring transactions, faster than 500 km/h; full from 1 000 km/h."""
    fastest = window.geo.fastest_jump.value
    return 0 if fastest is None else ramp(fastest, FAST_KMH * 1000, IMPOSSIBLE_KMH * 1000)


@rule(weight=450)
def velocity_burst(window: LocatedWindow) -> int:
    """Four transactions or more in the window; full from ten."""
    return ramp(window.count, 4, 10)


@rule(weight=400)
def repeated_declines(window: LocatedWindow) -> int:
    """Two declines or more in the window; full from five."""
    return ramp(window.velocity.declined, 2, 5)


@rule(weight=350)
def amount_spike(window: LocatedWindow) -> int:
    """The newest amount is three times the mean of the rest of the window or more; full from ten times."""
    newest, money = window.newest, window.money
    if newest is None or money is None or money.count < 2:
        return 0
    rest_minor = max(1, money.total - newest.amount_minor)
    return ramp(newest.amount_minor * (money.count - 1) * 100 // rest_minor, 300, 1000)


@rule(weight=350)
def several_countries(window: LocatedWindow) -> int:
    """Two countries or more in the window; full from three."""
    return ramp(len(window.velocity.countries), 2, 3)


@rule(weight=300)
def several_devices(window: LocatedWindow) -> int:
    """Two devices or more in the window; full from four."""
    return ramp(len(window.velocity.devices), 2, 4)


@rule(weight=100)
def unusual_hour(window: LocatedWindow) -> int:
    """The newest transaction happened from 01:00 to 05:00 UTC."""
    newest = window.newest
    return FULL if newest is not None and newest.time_ms // HOUR_MS % 24 in UNUSUAL_HOURS_UTC else 0


def assess(window: RiskWindow) -> None:
    """Note on the window which rules fire, and how severely."""
    window.fired = [(entry, severity) for entry in RULES if (severity := entry.severity(window))]


risk: Family[RiskWindow] = Family("risk", prepare=assess)


@risk.feature(
    unit="0..1",
    meaning="""Chance that one of the risk rules is right: 1 - Π (1 - weight × severity) over the rules that fired;
    0 when none did.""",
)
def risk_score(window: RiskWindow) -> float:
    whole = wrong = 1
    for entry, severity in window.fired:
        whole *= FULL * FULL
        wrong *= FULL * FULL - entry.weight * severity
    return (whole - wrong) / whole


@risk.feature(unit="rules", meaning="Names of the risk rules that fired, by weight, then name.")
def risk_reasons(window: RiskWindow) -> tuple[str, ...]:
    return tuple([entry.name for entry, _ in window.fired])
