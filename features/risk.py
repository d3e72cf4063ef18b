"""How suspicious the newest transaction looks: named rules, each with a weight, combined into one score.

Every rule looks at one input and answers how badly it is violated, from 0 (does not fire) to 1000; a worse input never
gives a smaller answer. The score is the chance that at least one of the rules is right, if each were right
independently with probability weight × severity: `1 - Π (1 - weight × severity)`, computed in integers and divided
once. More or worse violations can only raise it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from features.payments import PaymentWindow
from twinstream import Family

FULL = 1000
"""Severity of a rule that is violated as badly as can be, and the weight of one that is always right."""

HOUR_MS = 3_600_000
UNUSUAL_HOURS_UTC = range(1, 5)


Input = Callable[[PaymentWindow], int]
"""What a rule looks at, as an integer; its docstring says what that is."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule: what it looks at, and from where to where that makes it more severe.

    Attributes:
        name: shown in `risk_reasons`.
        weight: in thousandths.
        start, full: the rule fires from `start` on, half as severe as can be, and fully from `full` on.
        look: the input.
        meaning: of the input, and its unit.
    """

    name: str
    weight: int
    start: int
    full: int
    look: Input
    meaning: str


RULES: list[Rule] = []
"""By weight, then name: the order in which fired rules are named."""


def rule(weight: int, start: int, full: int) -> Callable[[Input], Input]:
    """Register the decorated function as a rule."""

    def register(look: Input) -> Input:
        meaning = " ".join((look.__doc__ or "").split())
        RULES.append(Rule(look.__name__, weight, start, full, look, meaning))
        RULES.sort(key=lambda entry: (-entry.weight, entry.name))
        return look

    return register


def ramp(value: int, start: int, full: int) -> int:
    """Severity of a value: 0 below `start`, then half, rising evenly to FULL at `full`; rounded down.

    >>> [ramp(value, 4, 8) for value in (3, 4, 6, 8, 99)]
    [0, 500, 750, 1000, 1000]
    """
    if value < start:
        return 0
    if value >= full:
        return FULL
    return FULL // 2 + FULL // 2 * (value - start) // (full - start)


@rule(weight=600, start=500_000, full=1_000_000)  # faster than a train; faster than an airliner
def impossible_travel(window: PaymentWindow) -> int:
    """Fastest jump in the window, in metres per hour; 0 without one."""
    return window.geo.fastest_jump.value or 0


@rule(weight=450, start=4, full=10)
def velocity_burst(window: PaymentWindow) -> int:
    """Transactions in the window."""
    return window.count


@rule(weight=400, start=2, full=5)
def repeated_declines(window: PaymentWindow) -> int:
    """Declined transactions in the window."""
    return window.velocity.declined


@rule(weight=350, start=300, full=1_000)
def amount_spike(window: PaymentWindow) -> int:
    """The newest amount in percent of the mean of the other amounts of its currency in the window, rounded down, in
    minor units: newest × count × 100 / max(1, sum); 0 without others."""
    newest, money = window.newest, window.money
    if newest is None or money is None or money.count < 2:
        return 0
    rest_minor = max(1, money.total - newest.amount_minor)
    return newest.amount_minor * (money.count - 1) * 100 // rest_minor


@rule(weight=350, start=2, full=3)
def several_countries(window: PaymentWindow) -> int:
    """Different countries in the window."""
    return len(window.velocity.countries)


@rule(weight=300, start=2, full=4)
def several_devices(window: PaymentWindow) -> int:
    """Different devices in the window."""
    return len(window.velocity.devices)


@rule(weight=100, start=1, full=1)
def unusual_hour(window: PaymentWindow) -> int:
    """1 when the newest transaction happened in an unusual hour, else 0."""
    newest = window.newest
    return int(newest is not None and newest.time_ms // HOUR_MS % 24 in UNUSUAL_HOURS_UTC)


Fired = list[tuple[Rule, int]]
"""The rules that fire, and how severely each."""


def assess(window: PaymentWindow) -> Fired:
    """Which rules fire in the window."""
    fired = []
    for entry in RULES:
        value = entry.look(window)
        if value >= entry.start:
            fired.append((entry, ramp(value, entry.start, entry.full)))
    return fired


risk: Family[Fired] = Family("risk", derive=assess)


@risk.feature(
    unit="0..1",
    meaning="""Chance that one of the risk rules is right: 1 - Π (1 - weight × severity) over the rules that fired;
    0 when none did. The rules stand in docs/features.md.""",
)
def risk_score(fired: Fired) -> float:
    whole = wrong = 1
    for entry, severity in fired:
        whole *= FULL * FULL
        wrong *= FULL * FULL - entry.weight * severity
    return (whole - wrong) / whole


@risk.feature(unit="rules", meaning="Names of the risk rules that fired, by weight from the largest, then by name.")
def risk_reasons(fired: Fired) -> tuple[str, ...]:
    return tuple([entry.name for entry, _ in fired])
