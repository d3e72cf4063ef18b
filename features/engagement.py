"""What a user does on the site: engagement, conversion, and the session of the newest action."""

from collections import deque

from features.aggregates import Tally
from features.catalog import Family
from features.events import Action
from features.window import Window


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


@engagement.feature(unit="s", meaning="Time spent on the pages of the window, as the actions report it.")
def dwell_seconds(window: ActivityWindow) -> float:
    return window.activity.dwell_ms / 1000


@engagement.feature(
    unit="0..1",
    meaning="""Points over 1000: 15 per action up to 20, 20 per page up to 10, 40 per product up to 5, 1 per 1.2 s of
    dwell up to 120 s, 100 for a cart add, 100 for a purchase.""",
)
def engagement_score(window: ActivityWindow) -> float:
    activity = window.activity
    points = 15 * min(window.count, 20)
    points += 20 * min(len(activity.pages), 10)
    points += 40 * min(len(activity.products), 5)
    points += min(activity.dwell_ms, 120_000) // 1_200
    points += 100 * ("add_to_cart" in activity.types)
    points += 100 * ("purchase" in activity.types)
    return points / 1000


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
