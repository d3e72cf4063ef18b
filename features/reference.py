"""How every value is computed, for somebody who has to compute the same without this code: part of docs/features.md.

Each number in it is a constant of the code.
"""

from collections import defaultdict

from features.distances import EARTH_RADIUS_M, MICRODEGREES
from features.money import DEFAULT_EXPONENT, EXPONENTS, MAX_AMOUNT
from features.payments import JUMP_M, SHORTEST_TIME_MS
from features.risk import FULL, RULES, UNUSUAL_HOURS_UTC


def reference() -> str:
    """The sections that follow the catalog's table."""
    return f"""## How the values are computed

With these rules and the table alone every value can be computed; the recomputation in the tests takes its numbers from
this page. Integers are exact. A value of type float is one division in IEEE 754 double precision, of two integers or of
the square root of an integer and an integer; nothing is rounded before or after. "Half-even" rounds a half to the even
neighbour.

### From a record to an event

[What a record must be](records.md) says which records are accepted, and `schema/*.yaml` which fields they have.
Null and absent are the same. Two texts are the same when all their code points are; empty text is one, too.

| | of a transaction | of an order | of a click |
|---|---|---|---|
| entity | `card_id` | `user_id` | `user_id` |
| id | `transaction_id` | `transaction_id` | `event_id` |
| time (epoch ms; what is below a millisecond is cut off) | `event_time` | `timestamp` | `event_time` |
| amount | `amount` | `price` × `quantity` × (1 - `discount_applied`) | |
| currency | `currency` | `currency` | |
| declined | `auth_result` is `declined` | never | |
| merchant | `merchant_id` | `brand` | |
| country | `country` | `user_location.country` | |
| device | `device_id` | `device_info.user_agent` | |
| place, if both are there | `latitude`, `longitude` | `user_location.latitude`, `.longitude` | |
| type, session | | | `event_type`, `session_id` |
| page, product | | | `page`, `product_id` |
| dwell in ms; null is 0 | | | `dwell_ms` |

**Money** is kept in minor units of its currency: the amount, computed exactly, × 10^digits, rounded half-even once.
It is from 0 to {MAX_AMOUNT} major units. Digits of the currencies (ISO 4217):

{_exponents()}

Of the n payments in the newest one's currency, with x in minor units: the sum is Σx / 10^digits, the mean
Σx / (n × 10^digits), the standard deviation √(n Σx² - (Σx)²) / (n × 10^digits), the largest max x / 10^digits.

**A place** is kept in whole micro-degrees: degrees × {MICRODEGREES} in double precision, rounded half-even.

### The window

The window at a moment *t* of length *W* (`WINDOW_SIZE_MINUTES`) holds the entity's accepted events with
*t* - *W* < time ≤ *t*, in milliseconds, in order of time, and of offset where the times are equal. The newest is the
last in that order, the previous the one before it. Rates per minute are count × 60000 / *W*, in milliseconds.

- A feature-log record has the vector at the time of its own event, from what was accepted up to its offset in its
  partition: events that are newer by time are outside, and what arrives later is unknown. In Redis stands the vector at
  the time of the entity's newest event.
- Not accepted is a record that fails a check. Two checks look at earlier records: `late`, when it is older than the
  watermark, which is the newest event time of the records before it in the partition that passed the checks up to
  `future`, less `ALLOWED_LATENESS_SECONDS` (where the broker has not stamped the records, of those that are believed:
  [records.md](records.md#lateness)); and `duplicate`, when an event of the same id and time was accepted and is
  retained. Retained are the entity's events that are newer than the watermark less *W*.
- Beyond `MAX_EVENTS_PER_ENTITY` the oldest retained event in that order goes before the vector is computed, be it the
  one that has just come; `window_truncated` is true when one that went would be in the window.

### Distance and speed

Located payments are those with a place. The great-circle distance of two is by the haversine formula, on a sphere of
radius {EARTH_RADIUS_M} m, rounded half-even to a whole metre:

    h = sin²((lat2 - lat1) / 2) + cos(lat1) × cos(lat2) × sin²((lon2 - lon1) / 2)
    metres = 2 × {EARTH_RADIUS_M} × asin(min(1, √h))

The speed between two neighbours among the located payments of the window is
metres × 3600000 / max({SHORTEST_TIME_MS}, ms between them), rounded down to whole metres per hour.
Features in km and km/h are these integers divided by 1000.

### Risk

Each rule looks at an integer. Below *start* it does not fire; from *full* on its severity is {FULL}; between them it is
{FULL // 2} + ({FULL // 2} × (value - start) / (full - start), rounded down). A jump is a move between neighbouring
located payments of {JUMP_M} m or more. Unusual are the hours {UNUSUAL_HOURS_UTC.start} to {UNUSUAL_HOURS_UTC.stop - 1}:
(time in ms / 3600000, rounded down) modulo 24, in UTC.

{_rules()}

`risk_score` is 1 - Π (1 - weight × severity / {FULL * FULL}) over the rules that fired, as one fraction of two
integers. `risk_reasons` has their names in the order of this table: by weight from the largest, then by name.

### Clicks

The session of the newest action is all actions in the window with its `session_id`. Features in seconds are whole
milliseconds divided by 1000. `seconds_since_last_event` is from the newest action in the window to the moment asked
for; in the feature log it is 0."""


def _exponents() -> str:
    """Currencies by their digits."""
    by_digits: dict[int, list[str]] = defaultdict(list)
    for currency, digits in EXPONENTS.items():
        by_digits[digits].append(currency)
    rows = [f"| {digits} | {' '.join(sorted(by_digits[digits]))} |" for digits in sorted(by_digits)]
    return "\n".join(["| digits | currencies |", "|---|---|", *rows, f"| {DEFAULT_EXPONENT} | every other |"])


def _rules() -> str:
    """The risk rules, in their order."""
    rows = [f"| {rule.name} | {rule.weight} | {rule.start} | {rule.full} | {rule.meaning} |" for rule in RULES]
    return "\n".join([f"| rule | weight (of {FULL}) | start | full | looks at |", "|---|---|---|---|---|", *rows])
