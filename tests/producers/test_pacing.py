"""Rates, hours of the day and event times, on a clock moved by hand."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from producers.clock import ManualClock, SystemClock
from producers.pacing import Pacer, event_times, hour_multiplier, time_zone
from tests.producers.conftest import START_MS
from twinstream.errors import UserError

WEDNESDAY, SATURDAY = datetime(2024, 5, 15, tzinfo=UTC), datetime(2024, 5, 18, tzinfo=UTC)


class SluggishClock(ManualClock):
    """Sleeps too long, by up to 30 ms, as real ones do."""

    def __init__(self) -> None:
        super().__init__(START_MS)
        self._random = Random(1)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + self._random.random() * 0.03)


@pytest.mark.parametrize(
    ("hour", "multiplier"),
    [(0, 0.3), (5, 0.3), (6, 1), (8, 1), (9, 1.5), (11, 1.5), (12, 2), (13, 2), (14, 1.5), (16, 1.5), (17, 1), (21, 1),
     (22, 0.3), (23, 0.3)],
)  # fmt: skip
def test_hour_multiplier_of_each_bucket_is_half_open(hour: int, multiplier: float) -> None:
    assert hour_multiplier(WEDNESDAY + timedelta(hours=hour)) == multiplier
    assert hour_multiplier(WEDNESDAY + timedelta(hours=hour, minutes=59, seconds=59)) == multiplier


def test_weekend_is_half_as_busy_again() -> None:
    assert hour_multiplier(SATURDAY + timedelta(hours=12)) == 3.0
    assert hour_multiplier(SATURDAY + timedelta(days=1, hours=23)) == pytest.approx(0.45)
    assert hour_multiplier(SATURDAY + timedelta(days=2, hours=12)) == 2.0


@pytest.mark.parametrize(
    ("per_second", "seconds"),
    [(10, 3), (5, 1), (1, 1), (0.5, 4), (3, 7), (0.1, 30), (97, 60), (1_000, 60), (2, 6 * 3_600), (500 / 3_600, 36)],
)
def test_number_sent_is_rate_times_seconds_though_sleeps_are_too_long(per_second: float, seconds: float) -> None:
    clock = SluggishClock()
    pacer, sent = Pacer(clock, per_second), 0
    while pacer.wait(seconds):
        sent += 1
    assert sent == round(per_second * seconds)
    assert clock.monotonic() < seconds + 0.1


def test_a_sink_that_is_slower_than_the_rate_does_not_prolong_the_run() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, 1_000)
    while pacer.wait(10.0):
        clock.sleep(0.1)
    assert clock.monotonic() <= 10.0 + 1.2


def test_less_than_one_record_to_be_expected_is_said_at_the_start() -> None:
    clock = ManualClock()
    with capture_logs() as logs:
        Pacer(clock, 500 / 3_600).warn_if_hardly_any(3.0)
        Pacer(clock, 0.25).warn_if_hardly_any(3.0)
        Pacer(clock, 0.25).warn_if_hardly_any(4.0)
        Pacer(clock, 0).warn_if_hardly_any(3.0)
    assert [entry["expected"] for entry in logs] == [0.417, 0.75]
    assert logs[0]["event"].endswith("Raise the rate or the duration")
    assert (logs[0]["rate_per_hour"], logs[0]["duration_seconds"]) == (500, 3.0)


def test_a_long_stall_is_not_made_up_for_at_once() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, 10.0)
    clock.sleep(3_600)
    at_once = 0
    while clock.monotonic() == 3_600.0 and pacer.wait():
        at_once += 1
    assert at_once <= 10 * 30 + 2


def test_rate_follows_the_local_hour() -> None:
    noon_in_new_york = int(datetime(2024, 5, 15, 16, tzinfo=UTC).timestamp() * 1000)
    clock = ManualClock(noon_in_new_york)
    pacer = Pacer(clock, 1.0, multiplier=hour_multiplier, zone=time_zone("America/New_York"))
    sent = 0
    while pacer.wait(600.0):
        sent += 1
    assert sent == pytest.approx(1_200, abs=2)


def test_no_rate_means_no_waiting() -> None:
    clock = ManualClock()
    pacer = Pacer(clock, 0)
    assert all(pacer.wait() for _ in range(1_000))
    assert clock.monotonic() == 0


def test_waiting_ends_at_the_deadline_not_after_it() -> None:
    clock = ManualClock()
    assert not Pacer(clock, 0.001).wait(5.0)
    assert clock.monotonic() == 5.0


def test_unknown_time_zone_is_one_line() -> None:
    with pytest.raises(UserError, match=r"'Mars/Olympus' is no time zone; expected a name such as UTC"):
        time_zone("Mars/Olympus")


@given(st.integers(1, 500), st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 1_000))
def test_event_times_are_in_order_within_the_span_and_end_at_its_end(
    count: int, start: int, length: int, seed: int
) -> None:
    times = list(event_times(count, start, start + length, Random(seed)))
    assert len(times) == count
    assert times == sorted(times)
    assert start <= times[0]
    assert times[-1] == start + length


def test_event_times_are_denser_at_noon_than_at_night() -> None:
    start = int(WEDNESDAY.timestamp() * 1000)
    hours = Counter((time - start) // 3_600_000 for time in event_times(24_000, start, start + 86_400_000, Random(1)))
    assert hours[12] / hours[3] == pytest.approx(2.0 / 0.3, rel=0.05)


def test_system_clock_tells_the_time_and_waits() -> None:
    clock = SystemClock()
    before, started = clock.monotonic(), clock.now_ms()
    clock.sleep(0.02)
    assert clock.monotonic() - before >= 0.02
    assert abs(clock.now_ms() - started - 20) < 1_000
