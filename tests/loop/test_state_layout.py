"""Stored states that a worker cannot read: of another event struct, or damaged. They are rebuilt; nothing shows."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from features.events import Payment
from tests.reference import GROUPS
from twinstream.online.contract import Partition
from twinstream.online.epoch import epoch
from twinstream.settings import Settings
from twinstream.testing import Driver

TRANSACTION = GROUPS["transaction"]


def send(driver: Driver, numbers: range) -> None:
    """Payments of two cards, and clicks of one user, a second apart."""
    for number in numbers:
        driver.now_ms += 1_000
        payment = {"transaction_id": f"t{number}", "card_id": f"card_{number % 2}", "amount": number, "currency": "EUR"}
        driver.send("transactions", payment | {"event_time": driver.now_ms})
        click = {"event_id": f"c{number}", "user_id": "u", "session_id": "s", "event_type": "page_view"}
        driver.send("clickstream", click | {"event_time": driver.now_ms})


def run_with(between: Callable[[Driver], None]) -> Driver:
    """Two workers, one after the other, and what happens between them."""
    driver = Driver(window_size_minutes=1)
    send(driver, range(40))
    driver.run()
    between(driver)
    driver.restart()
    send(driver, range(40, 80))
    driver.run()
    return driver


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    return run_with(lambda _: None).outputs()


class LongerPayment(Payment, frozen=True, gc=False, array_like=True):
    """A payment of which one thing more is kept."""

    issuer: str


def add_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer does who needs one field more of a transaction in state."""
    decode = TRANSACTION.decode

    def longer(value: bytes | None, offset: int) -> tuple[str, Any]:
        entity, event = decode(value, offset)
        return entity, LongerPayment(*msgspec.structs.astuple(event), issuer="bank")

    monkeypatch.setattr(TRANSACTION, "decode", longer)
    monkeypatch.setattr(TRANSACTION, "event_type", LongerPayment)


def test_a_field_added_to_the_event_rebuilds_the_states(
    monkeypatch: pytest.MonkeyPatch, undisturbed: dict[str, Any]
) -> None:
    driver = run_with(lambda _: add_a_field(monkeypatch))
    assert driver.outputs() == undisturbed
    assert driver.loop.totals.recoveries == 0


def test_a_field_added_to_one_groups_event_leaves_the_other_groups_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    def epochs() -> dict[str, str]:
        return {name: epoch("id-1", group, Settings()) for name, group in GROUPS.items()}

    before = epochs()
    add_a_field(monkeypatch)
    assert {name for name, now in epochs().items() if now != before[name]} == {"transaction"}


@pytest.mark.parametrize("chunk", [None, 0, 2])
@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x95\x01", b"{}"], ids=repr)
def test_a_damaged_state_is_rebuilt_with_its_partition(
    chunk: int | None, damage: bytes, undisturbed: dict[str, Any]
) -> None:
    def hurt(driver: Driver) -> None:
        place = Partition("transactions", 0, "transaction")
        stored = driver.database.partitions[driver.settings.namespace, place].entities["card_1"]
        if chunk is None:
            stored.head = damage
        else:
            assert chunk in stored.chunks
            stored.chunks[chunk] = damage

    driver = run_with(hurt)
    assert driver.outputs() == undisturbed
    assert driver.loop.totals.recoveries == 1
