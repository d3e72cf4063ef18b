"""Ctrl-C and SIGTERM, held back while a message is handed over: so that the counts are those of the topic."""

import signal
from types import FrameType


class Interrupts:
    """Raises KeyboardInterrupt at once, or at the end of the running hand-over.

    >>> interrupts = Interrupts()
    >>> interrupts.hold()
    >>> interrupts.handle(signal.SIGINT, None)
    >>> try:
    ...     interrupts.release()
    ... except KeyboardInterrupt:
    ...     print("now")
    now
    """

    __slots__ = ("_held", "_waiting")

    def __init__(self) -> None:
        self._held = False
        self._waiting = False

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """What a signal does."""
        if not self._held:
            raise KeyboardInterrupt
        self._waiting = True

    def hold(self) -> None:
        """From here on, a signal waits."""
        self._held = True

    def release(self) -> None:
        """Until here; a signal that came meanwhile is raised."""
        self._held = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt


interrupts = Interrupts()
"""The one of this process; without `install` signals act as ever."""
