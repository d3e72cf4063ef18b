"""The window over payments, transactions and orders alike, and what it keeps up to date while they come and go.

Distances are whole metres and speeds whole metres per hour, so that the fastest can be kept and taken back exactly.
"""

from collections import deque

from features.distances import Stop
from features.events import Payment
from features.money import minor_per_major
from twinstream import Maximum, Money, Tally, Window

SHORTEST_TIME_MS = 1_000
"""Two payments closer in time count as this far apart: card networks keep time to the second."""

JUMP_M = 50_000
"""A move at least this long is a jump: nearer ones can look fast because places are known only roughly."""


class Velocity:
    """What the velocity features need of the payments in a window. Which end one comes or goes by does not matter."""

    __slots__ = ("countries", "currencies", "declined", "devices", "merchants")

    def __init__(self) -> None:
        self.declined = 0
        self.merchants = Tally()
        self.countries = Tally()
        self.devices = Tally()
        self.currencies: dict[str, Money] = {}

    def append(self, event: Payment) -> None:
        """Take a payment in."""
        self.declined += event.declined
        self.merchants.add(event.merchant)
        self.countries.add(event.country)
        self.devices.add(event.device)
        money = self.currencies.get(event.currency)
        if money is None:
            money = self.currencies[event.currency] = Money(minor_per_major(event.currency))
        money.add(event.amount_minor)

    def pop(self, event: Payment) -> None:
        """Take a payment back."""
        self.declined -= event.declined
        self.merchants.remove(event.merchant)
        self.countries.remove(event.country)
        self.devices.remove(event.device)
        money = self.currencies[event.currency]
        money.remove(event.amount_minor)
        if not money.count:
            del self.currencies[event.currency]

    appendleft = append
    popleft = pop


class Geo:
    """The located payments in a window, in order, and the fastest moves between neighbours."""

    __slots__ = ("fastest", "fastest_jump", "stops")

    def __init__(self) -> None:
        self.stops: deque[Stop] = deque()
        self.fastest = Maximum()
        self.fastest_jump = Maximum()

    def append(self, event: Payment) -> None:
        """A payment came in at the newer end."""
        if event.place is not None:
            stop, stops = Stop.at(event.place, event.time_ms), self.stops
            if stops:
                self._arrive(stops[-1], stop)
            stops.append(stop)

    def pop(self, event: Payment) -> None:
        """A payment went out at the newer end."""
        if event.place is not None:
            self._leave(self.stops.pop())

    def appendleft(self, event: Payment) -> None:
        """A payment came in at the older end: what was the oldest is now reached from it."""
        if event.place is not None:
            stop, stops = Stop.at(event.place, event.time_ms), self.stops
            if stops:
                self._arrive(stop, stops[0])
            stops.appendleft(stop)

    def popleft(self, event: Payment) -> None:
        """A payment went out at the older end: the next is no longer reached from anywhere."""
        if event.place is not None:
            self.stops.popleft()
            if self.stops:
                self._leave(self.stops[0])

    def _arrive(self, origin: Stop, stop: Stop) -> None:
        metres = origin.distance_to_m(stop)
        speed = metres * 3_600_000 // max(stop.time_ms - origin.time_ms, SHORTEST_TIME_MS)
        stop.distance_m, stop.speed_m_per_h = metres, speed
        self.fastest.add(speed)
        if metres >= JUMP_M:
            self.fastest_jump.add(speed)

    def _leave(self, stop: Stop) -> None:
        if stop.distance_m is None or stop.speed_m_per_h is None:
            return
        self.fastest.remove(stop.speed_m_per_h)
        if stop.distance_m >= JUMP_M:
            self.fastest_jump.remove(stop.speed_m_per_h)
        stop.distance_m = stop.speed_m_per_h = None


class PaymentWindow(Window[Payment]):
    """A window over payments.

    Attributes:
        velocity: how many there are, and of what.
        geo: the moves between those that have a place.
    """

    __slots__ = ("geo", "velocity")

    def __init__(self, size_ms: int) -> None:
        self.velocity = Velocity()
        self.geo = Geo()
        super().__init__(size_ms, (self.velocity, self.geo))

    @property
    def money(self) -> Money | None:
        """The amounts in the newest payment's currency; None when the window is empty."""
        newest = self.newest
        return None if newest is None else self.velocity.currencies[newest.currency]
