"""What a record looks like: one file per kind of record. A profile makes the record that happens at a given time."""

from collections.abc import Callable
from typing import Any, Protocol

from producers.profiles.accounts import AccountTransactions
from producers.profiles.cards import CardTransactions
from producers.profiles.clicks import Clicks
from producers.profiles.orders import Orders


class Profile(Protocol):
    """A kind of record: where it goes by default, its schema and key, and how one is made."""

    name: str
    topic: str
    schema: str
    key_field: str

    def record(self, time_ms: int) -> Any:
        """The record that happens at `time_ms` (epoch milliseconds); times must not decrease."""


def make_profile(name: str, seed: int, run: int | str = "") -> Profile:
    """The profile of that name, from its seed; `run` tells runs of one seed apart."""
    return PROFILES[name](seed, run)


PROFILES: dict[str, Callable[[int, int | str], Profile]] = {
    "transactions": lambda seed, run: CardTransactions(seed, run=run),
    "accounts": lambda seed, run: AccountTransactions(seed, run=run),
    "orders": lambda seed, run: Orders(seed, run=run),
    "clicks": lambda seed, run: Clicks(seed, run=run),
}
"""Every profile; a new one is a file in this folder and a line here."""
