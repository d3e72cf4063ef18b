"""The line at the bottom of a terminal that tells how something long is doing."""

import time
from collections.abc import Callable

from rich.text import Text

from twinstream.terminal import Terminal, spinner

RENEW_EVERY_S = 1.0


class LiveLine:
    """A line that is renewed at intervals, with the rate of what is done. It is there while its `with` block runs.

    Where the console is no terminal nothing is shown; the intervals and the rate are the same.

    Args:
        console: where it is shown.
        every_s: shortest interval.
        count: what has been counted so far; None where nobody knows, and the first rate is then 0.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        console: Terminal,
        every_s: float = RENEW_EVERY_S,
        count: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = console.live(spinner("starting")) if console.is_terminal else None
        self._every_s = every_s
        self._count = count
        self._now = now
        self._renewed_s = now()

    @property
    def is_shown(self) -> bool:
        """Whether there is a terminal to show it on."""
        return self._live is not None

    def __enter__(self) -> "LiveLine":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def rate(self, count: int | None) -> float | None:
        """What has been counted since the line was last to be renewed, per second; None while that is too recent.

        A count that begins anew, because the other side was restarted, gives 0; so does one that nobody knows, or
        that nobody knew before.
        """
        now_s = self._now()
        seconds = now_s - self._renewed_s
        if seconds < self._every_s:
            return None
        done = 0 if count is None or self._count is None else max(0, count - self._count)
        self._renewed_s, self._count = now_s, count
        return done / seconds

    def show(self, text: str | Text) -> None:
        """Let the line say this."""
        if self._live is not None:
            self._live.update(spinner(text))
