"""Generated stories of one entity: what arrives, in what order, and what else happens to its state meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from features.events import Action, Payment
from tests.features.events import LATENESS_MS, MIDDAY_MS, WINDOW_MS

PLACES = [None, (0, 0), (449_660, 0), (48_856_600, 2_352_200), (51_507_400, -127_800), (-23_550_000, 179_999_999)]
BACK_MS = [0, 1, 999, 1_000, 15_000, LATENESS_MS - 1, LATENESS_MS]
FORWARD_MS = [0, 1, 1_000, LATENESS_MS, 59_999, WINDOW_MS - LATENESS_MS, WINDOW_MS - 1, WINDOW_MS, WINDOW_MS + 1]
STEPS_MS = [-back for back in BACK_MS] + FORWARD_MS


@dataclass(frozen=True)
class Arrival:
    """An event of the entity, so much newer (or older) than the newest of its partition."""

    step_ms: int
    fields: dict[str, Any]


@dataclass(frozen=True)
class Redelivery:
    """An earlier arrival comes again, if it is not late by now: which one, counted from the newest."""

    back: int


@dataclass(frozen=True)
class OtherEntity:
    """An event of somebody else moves the watermark."""

    step_ms: int


@dataclass(frozen=True)
class Reading:
    """Somebody asks for a moment, so much after the newest event time of the partition (or before)."""

    after_ms: int


@dataclass(frozen=True)
class Expiry:
    """The runtime forgets what it may."""


@dataclass(frozen=True)
class Reload:
    """The changes are stored, the worker dies, another one loads the state."""


@dataclass(frozen=True)
class Failure:
    """An event arrives for which a feature raises."""

    step_ms: int
    fields: dict[str, Any]


Step = Arrival | Redelivery | OtherEntity | Reading | Expiry | Reload | Failure

payment_fields = st.fixed_dictionaries(
    {},
    optional={
        "amount_minor": st.sampled_from([0, 1, 3, 1_000, 9_999, 10**14]),
        "currency": st.sampled_from(["EUR", "JPY", "KWD"]),
        "declined": st.booleans(),
        "merchant": st.sampled_from([None, "m1", "m2"]),
        "country": st.sampled_from([None, "BR", "US", "DE"]),
        "device": st.sampled_from([None, "d1", "d2"]),
        "place": st.sampled_from(PLACES),
    },
)
action_fields = st.fixed_dictionaries(
    {},
    optional={
        "session": st.sampled_from(["s1", "s2"]),
        "type": st.sampled_from(["page_view", "product_view", "add_to_cart", "checkout", "purchase"]),
        "page": st.sampled_from([None, "/", "/cart"]),
        "product": st.sampled_from([None, "p1", "p2"]),
        "dwell_ms": st.sampled_from([0, 1_199, 1_200, 59_999, 86_400_000]),
    },
)
FIELDS = {"transaction": payment_fields, "order": payment_fields, "clickstream": action_fields}
EVENT_TYPES: dict[str, Callable[..., Any]] = {"transaction": Payment, "order": Payment, "clickstream": Action}
groups = st.sampled_from(sorted(FIELDS))


def stories(group: str, max_steps: int = 24) -> st.SearchStrategy[list[Step]]:
    """Stories of an entity of the group."""
    return stories_of(FIELDS[group], max_steps)


def stories_of(fields: st.SearchStrategy[dict[str, Any]], max_steps: int = 24) -> st.SearchStrategy[list[Step]]:
    """Stories of an entity whose events have these fields."""
    steps_ms = st.sampled_from(STEPS_MS)
    arrivals = st.builds(Arrival, steps_ms, fields)
    return st.lists(
        st.one_of(
            arrivals,
            arrivals,
            arrivals,
            st.builds(Redelivery, st.integers(0, 5)),
            st.builds(OtherEntity, st.sampled_from(FORWARD_MS)),
            st.builds(Reading, st.sampled_from([*STEPS_MS, 10 * WINDOW_MS])),
            st.just(Expiry()),
            st.just(Reload()),
            st.builds(Failure, steps_ms, fields),
        ),
        min_size=1,
        max_size=max_steps,
    )


START_MS = MIDDAY_MS
