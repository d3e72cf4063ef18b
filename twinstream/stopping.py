"""A request to end, by SIGINT or SIGTERM."""

import os
import signal
from threading import Timer
from types import FrameType
from typing import NoReturn

from twinstream.logging import get_logger


class StopRequest:
    """Set by the first SIGINT or SIGTERM; the second one ends the process at once.

    Args:
        deadline_s: how long the process may take to end after the first one before it is ended; None for no limit.
        if_missed: what is logged then.
    """

    def __init__(self, deadline_s: float | None = None, if_missed: str = "") -> None:
        self.requested = False
        self._deadline_s = deadline_s
        self._if_missed = if_missed
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            _end_at_once(128 + number)
        self.requested = True
        if self._deadline_s is not None:
            deadline = Timer(self._deadline_s, self._give_up)
            deadline.daemon = True
            deadline.start()

    def _give_up(self) -> None:
        _logger.error(self._if_missed)
        _end_at_once(3)


def _end_at_once(code: int) -> NoReturn:
    """End the process. A live line is erased and the cursor shown again, which nobody else would do any more."""
    if os.isatty(1):
        os.write(1, b"\r\x1b[2K\x1b[?25h")
    os._exit(code)


_logger = get_logger(__name__)
