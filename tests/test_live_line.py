"""The live line: when it is renewed, and the rate it shows."""

from io import StringIO

import pytest

from twinstream.live_line import LiveLine
from twinstream.terminal import Terminal


def rates(*counted: tuple[float, int], before: int | None = 0) -> list[float | None]:
    """The rates after counts, each with its moment in seconds, on a line that is renewed once a second."""
    now_s = 0.0
    line = LiveLine(Terminal(file=StringIO()), 1.0, before, now=lambda: now_s)
    found = []
    for at_s, count in counted:
        now_s = at_s
        found.append(line.rate(count))
    return found


def test_the_rate_is_of_the_time_since_the_last_one() -> None:
    assert rates((2.0, 10), (4.0, 40)) == [5.0, 15.0]


def test_a_line_is_not_renewed_before_its_time_and_loses_no_count_by_it() -> None:
    assert rates((0.5, 10), (1.0, 20), (1.9, 30), (2.0, 40)) == [None, 20.0, None, 20.0]


def test_without_a_count_to_begin_with_the_first_rate_is_0() -> None:
    assert rates((1.0, 1_000_000), (2.0, 1_000_010), before=None) == [0.0, 10.0]


def test_a_count_that_begins_anew_gives_no_negative_rate() -> None:
    assert rates((1.0, 100), (2.0, 3), (3.0, 5)) == [100.0, 0.0, 2.0]


@pytest.mark.parametrize("terminal", [True, False])
def test_it_is_shown_on_a_terminal_only(terminal: bool) -> None:
    output = StringIO()
    with LiveLine(Terminal(file=output, force_terminal=terminal, width=80)) as line:
        line.show("7 events/s")
    assert line.is_shown == terminal
    assert ("7 events/s" in output.getvalue()) == terminal
