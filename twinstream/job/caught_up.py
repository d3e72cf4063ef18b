"""When a job has caught up: every result of the log up to some offsets is committed.

Redis does not tell: after a restore it is ahead of the job, which makes its output anew. So the job itself is asked.

1. Its stage has processed each partition up to the offset, by its metrics.
2. A checkpoint that was begun after that is complete; its results are committed, now or after any restart.
3. The offsets that the source has committed with a checkpoint are there, too. They are not if the job was restarted
   meanwhile and its metrics were those of before.
"""

from collections.abc import Mapping
from typing import Protocol

Offsets = Mapping[tuple[str, int], int]
"""Next offsets by topic and partition."""


class Job(Protocol):
    """What is asked of a running job."""

    def positions(self) -> Offsets:
        """Up to where the stage has processed each partition."""

    def begin_checkpoint(self) -> str:
        """Ask for a checkpoint; returns what to ask about it with."""

    def checkpoint_ended(self, asked: str) -> bool | None:
        """Whether a checkpoint succeeded; None while it is under way."""

    def committed(self) -> Offsets:
        """What the source has committed with its last checkpoint."""


class CaughtUp:
    """Looks at a job until it has caught up.

    Args:
        until: the offsets to reach.
    """

    def __init__(self, until: Offsets) -> None:
        self._until = until
        self._asked: str | None = None

    def look(self, job: Job, positions: Offsets) -> bool:
        """Whether it has; call it again until it has.

        Args:
            job: which.
            positions: what it has just said of its positions.
        """
        if not self._reached(positions):
            self._asked = None
            return False
        if self._asked is None:
            self._asked = job.begin_checkpoint()
        succeeded = job.checkpoint_ended(self._asked)
        if succeeded is False:
            self._asked = None
        return bool(succeeded) and self._reached(job.committed())

    def _reached(self, offsets: Offsets) -> bool:
        return all(offsets.get(partition, 0) >= end for partition, end in self._until.items())
