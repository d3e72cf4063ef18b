"""States rebuilt from the log after Redis lost everything, on generated logs: nothing can be told from the results.

The log spans many times what a rebuild reads, events come up to the allowed skew early and far too late, and the
worker may crash anywhere in the rebuild, which Redis may lose once more.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import tries
from twinstream.loop.commit import Step
from twinstream.testing import Driver

WINDOW_MS, SKEW_MS = 60_000, 30_000


class Crash(BaseException):
    """Ends a worker where it stands, as SIGKILL would."""


@dataclass(frozen=True)
class Arrival:
    """A payment some time after the one before, with an event time so far from the clock that stamps it."""

    pause_ms: int
    ahead_ms: int
    card: str
    number: int
    append_timed: bool = True


@dataclass(frozen=True)
class Loss:
    """After so many records Redis loses everything; the worker that rebuilds it crashes at a step, and once more."""

    after: int
    crash_at: Step
    crash_times: int
    flush_again: bool


def arrivals_of(stamped_by_broker: st.SearchStrategy[bool]) -> st.SearchStrategy[list[Arrival]]:
    return st.lists(
        st.builds(
            Arrival,
            pause_ms=st.sampled_from([0, 1, 5_000, 20_000, WINDOW_MS, 2 * WINDOW_MS]),
            ahead_ms=st.sampled_from([0, 0, 0, -1, -9_000, -40_000, -150_000, SKEW_MS // 2, SKEW_MS, SKEW_MS + 1]),
            card=st.sampled_from(["a", "b", "c"]),
            number=st.integers(0, 60),
            append_timed=stamped_by_broker,
        ),
        min_size=2,
        max_size=60,
    )


arrivals = st.sampled_from([st.just(True), st.just(False), st.booleans()]).flatmap(arrivals_of)
"""Logs that the broker stamps, or the producers do, or now one and now the other."""

losses = st.builds(
    Loss,
    after=st.integers(1, 60),
    crash_at=st.sampled_from(Step),
    crash_times=st.integers(1, 4),
    flush_again=st.booleans(),
)


def send(driver: Driver, log: list[Arrival]) -> None:
    """Append the arrivals to the driver's log, each at its time."""
    for arrival in log:
        driver.now_ms += arrival.pause_ms
        payment = {
            "transaction_id": f"t{arrival.number}",
            "event_time": driver.now_ms + arrival.ahead_ms,
            "card_id": arrival.card,
            "amount": arrival.number,
            "currency": "EUR",
        }
        stamped_ms = None if arrival.append_timed else driver.now_ms
        driver.broker.append(
            "transactions", 0, arrival.card.encode(), msgspec.json.encode(payment), stamped_ms=stamped_ms
        )


@given(
    log=arrivals, loss=losses, lateness_s=st.sampled_from([0, 10, 100]), max_poll_records=st.sampled_from([1, 3, 50])
)
@tries(100)
@example(  # The newest record of a card is so old that no window holds it; its offset shows in Redis all the same.
    log=[
        Arrival(0, 0, "a", 0),
        Arrival(0, -90_000, "a", 1),
        Arrival(250_000, 0, "b", 2),
    ],
    loss=Loss(3, Step.POLLED, 1, False),
    lateness_s=100,
    max_poll_records=50,
)
def test_a_rebuild_repeats_every_decision(
    log: list[Arrival], loss: Loss, lateness_s: int, max_poll_records: int
) -> None:
    rules: dict[str, Any] = {
        "window_size_minutes": WINDOW_MS // 60_000,
        "allowed_lateness_seconds": lateness_s,
        "max_future_skew_seconds": SKEW_MS // 1_000,
    }
    uninterrupted = Driver(**rules)
    send(uninterrupted, log)
    uninterrupted.run()

    crashes_in: list[int] = []

    def reached(step: Step) -> None:
        if step is loss.crash_at and crashes_in:
            crashes_in[0] -= 1
            if crashes_in[0] == 0:
                raise Crash

    hurt = Driver(reached=reached, max_poll_records=max_poll_records, **rules)
    send(hurt, log[: loss.after])
    hurt.run()
    hurt.database.clear()
    send(hurt, log[loss.after :])
    if loss.after >= len(log):
        hurt.restart()  # nothing comes that would make the living worker look
    crashes_in.append(loss.crash_times)
    try:
        hurt.run()
    except Crash:
        if loss.flush_again:
            hurt.database.clear()
        hurt.restart()
        hurt.run()
    assert hurt.outputs() == uninterrupted.outputs()
