"""Waiting for what happens elsewhere: on conditions, with deadlines that a busy machine can meet."""

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = 90, explain: Callable[[], str] = lambda: ""
) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s until {what}. {explain()}"
        time.sleep(0.02)
