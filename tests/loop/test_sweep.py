"""Entities that have been idle go, all of them, whatever happens to the worker that removes them."""

from typing import Any

import pytest
import redis

from twinstream.online.redis import store as online
from twinstream.testing import START_MS, Driver


class Crash(BaseException):
    """Ends a worker where it stands, as SIGKILL would."""


def test_a_sweep_that_was_cut_short_is_finished_by_the_next_worker(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online, "ENTITIES_PER_SWEEP", 2)
    driver = Driver(store=online.RedisStore(redis_client, "twinstream", "there"))
    for number in range(7):
        driver.send("transactions", payment(number, 0, f"idle-{number}"))
    driver.run()
    driver.now_ms += 10**6
    driver.send("transactions", payment(7, 10**6, "busy"))

    def crash(sweeps: Any) -> int:
        raise Crash

    with monkeypatch.context() as failing:
        failing.setattr(driver.store, "sweep", crash)
        with pytest.raises(Crash):
            driver.run()
    assert len(redis_client.keys("features:*")) == 6
    driver.restart()
    driver.run()
    assert redis_client.keys("features:*") == [b"features:transaction:busy"]


def payment(number: int, at_ms: int, card: str) -> dict[str, Any]:
    """A transaction of a card, so long after the start."""
    record = {"transaction_id": f"t{number}", "card_id": card, "amount": 10, "currency": "EUR"}
    return record | {"event_time": START_MS + at_ms}
