"""What a user does on the site: engagement, conversion, and the session of the newest action."""

from collections import deque

from features.events import Action
from twinstream import Family, Tally, Window

ACTION_POINTS, MOST_ACTIONS = 15, 20
PAGE_POINTS, MOST_PAGES = 20, 10
PRODUCT_POINTS, MOST_PRODUCTS = 40, 5
DWELL_MS_PER_POINT, MOST_DWELL_MS = 1_200, 120_000
CART_POINTS = PURCHASE_POINTS = 100
FULL_POINTS = 1_000
"""The engagement score: points for so many of each at most, over the points that there are in all."""


class Session:
    """The actions of one session inside the window: when they were, and how often each type occurs."""

    __slots__ = ("times_ms", "types")

    def __init__(self) -> None:
        self.times_ms: deque[int] = deque()
        self.types = Tally()


class Activity:
    """What the clickstream features need of the actions in a window."""

    __slots__ = ("dwell_ms", "pages", "products", "sessions", "types")

    def __init__(self) -> None:
        self.dwell_ms = 0
        self.pages = Tally()
        self.products = Tally()
        self.types = Tally()
        self.sessions: dict[str, Session] = {}

    def append(self, event: Action) -> None:
        """An action came in at the newer end."""
        self._add(event).append(event.time_ms)

    def appendleft(self, event: Action) -> None:
        """An action came in at the older end."""
        self._add(event).appendleft(event.time_ms)

    def pop(self, event: Action) -> None:
        """An action went out at the newer end."""
        self.sessions[event.session].times_ms.pop()
        self._remove(event)

    def popleft(self, event: Action) -> None:
        """An action went out at the older end."""
        self.sessions[event.session].times_ms.popleft()
        self._remove(event)

    def _add(self, event: Action) -> deque[int]:
        self.dwell_ms += event.dwell_ms
        self.pages.add(event.page)
        self.products.add(event.product)
        self.types.add(event.type)
        session = self.sessions.get(event.session)
        if session is None:
            session = self.sessions[event.session] = Session()
        session.types.add(event.type)
        return session.times_ms

    def _remove(self, event: Action) -> None:
        self.dwell_ms -= event.dwell_ms
        self.pages.remove(event.page)
        self.products.remove(event.product)
        self.types.remove(event.type)
        session = self.sessions[event.session]
        session.types.remove(event.type)
        if not session.times_ms:
            del self.sessions[event.session]


class ActivityWindow(Window[Action]):
    """A window over actions, with the aggregates of the clickstream features."""

    __slots__ = ("activity",)

    def __init__(self, size_ms: int) -> None:
        self.activity = Activity()
        super().__init__(size_ms, (self.activity,))

    @property
    def session(self) -> Session | None:
        """The session of the newest action; None when the window is empty."""
        newest = self.newest
        return None if newest is None else self.activity.sessions[newest.session]


engagement: Family[ActivityWindow] = Family("engagement")
conversion: Family[ActivityWindow] = Family("conversion")
session: Family[ActivityWindow] = Family("session")


def _occurrences(window: ActivityWindow, event_type: str) -> int:
    return window.activity.types.get(event_type, 0)


@engagement.feature(unit="events", meaning="Actions of the user in the window, this one included.")
def events(window: ActivityWindow) -> int:
    return window.count


@engagement.feature(unit="events/min", meaning="Actions in the window over the window's length.")
def events_per_minute(window: ActivityWindow) -> float:
    return window.count * 60_000 / window.size_ms


@engagement.feature(unit="pages", meaning="Different pages in the window.")
def distinct_pages(window: ActivityWindow) -> int:
    return len(window.activity.pages)


@engagement.feature(unit="products", meaning="Different products in the window.")
def distinct_products(window: ActivityWindow) -> int:
    return len(window.activity.products)


@engagement.feature(unit="s", meaning="Sum of what the actions in the window report as `dwell_ms`; null counts as 0.")
def dwell_seconds(window: ActivityWindow) -> float:
    return window.activity.dwell_ms / 1000


@engagement.feature(
    unit="0..1",
    meaning=f"""Points over {FULL_POINTS}: {ACTION_POINTS} per action up to {MOST_ACTIONS}, {PAGE_POINTS} per different
    page up to {MOST_PAGES}, {PRODUCT_POINTS} per different product up to {MOST_PRODUCTS}, 1 per whole
    {DWELL_MS_PER_POINT} ms of dwell up to {MOST_DWELL_MS} ms, {CART_POINTS} for any add_to_cart, {PURCHASE_POINTS} for
    any purchase.""",
)
def engagement_score(window: ActivityWindow) -> float:
    activity = window.activity
    points = ACTION_POINTS * min(window.count, MOST_ACTIONS)
    points += PAGE_POINTS * min(len(activity.pages), MOST_PAGES)
    points += PRODUCT_POINTS * min(len(activity.products), MOST_PRODUCTS)
    points += min(activity.dwell_ms, MOST_DWELL_MS) // DWELL_MS_PER_POINT
    points += CART_POINTS * ("add_to_cart" in activity.types)
    points += PURCHASE_POINTS * ("purchase" in activity.types)
    return points / FULL_POINTS


@conversion.feature(unit="events", meaning="Product views in the window.")
def product_views(window: ActivityWindow) -> int:
    return _occurrences(window, "product_view")


@conversion.feature(unit="events", meaning="Additions to the cart in the window.")
def cart_adds(window: ActivityWindow) -> int:
    return _occurrences(window, "add_to_cart")


@conversion.feature(unit="events", meaning="Checkouts in the window.")
def checkouts(window: ActivityWindow) -> int:
    return _occurrences(window, "checkout")


@conversion.feature(unit="events", meaning="Purchases in the window.")
def purchases(window: ActivityWindow) -> int:
    return _occurrences(window, "purchase")


@conversion.feature(unit="ratio", meaning="Cart additions per product view in the window; null without a view.")
def view_to_cart_rate(window: ActivityWindow) -> float | None:
    views = _occurrences(window, "product_view")
    return _occurrences(window, "add_to_cart") / views if views else None


@conversion.feature(unit="ratio", meaning="Purchases per cart addition in the window; null without an addition.")
def cart_to_purchase_rate(window: ActivityWindow) -> float | None:
    adds = _occurrences(window, "add_to_cart")
    return _occurrences(window, "purchase") / adds if adds else None


@session.feature(
    unit="s", meaning="From the first to the newest action of the newest action's session, as far as in the window."
)
def session_duration_seconds(window: ActivityWindow) -> float | None:
    current = window.session
    return None if current is None else (current.times_ms[-1] - current.times_ms[0]) / 1000


@session.feature(unit="events", meaning="Actions of the newest action's session in the window.")
def session_events(window: ActivityWindow) -> int:
    current = window.session
    return 0 if current is None else len(current.times_ms)


@session.feature(unit="", meaning="Whether that session has one action only in the window; null when it is empty.")
def is_bounce(window: ActivityWindow) -> bool | None:
    current = window.session
    return None if current is None else len(current.times_ms) == 1


@session.feature(
    unit="", meaning="Whether that session added to the cart and did not purchase in the window; null when it is empty."
)
def cart_abandoned(window: ActivityWindow) -> bool | None:
    current = window.session
    if current is None:
        return None
    return "add_to_cart" in current.types and "purchase" not in current.types


@session.feature(unit="s", meaning="From the user's newest action to now; null when the window is empty.")
def seconds_since_last_event(window: ActivityWindow) -> float | None:
    newest = window.newest
    return None if newest is None else (window.now_ms - newest.time_ms) / 1000
