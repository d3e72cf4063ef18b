"""What every contender reports: how fast, and at what cost, a stretch of events became visible."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """What a contender has to do.

    Attributes:
        servers: of Kafka.
        redis_port: on this machine.
        topic: with the records; read from its beginning.
        run: a name of this run, for its consumer group, its output topic (`<run>.out`) and its state.
        warm: events before the measured stretch begins.
        total: events after which the contender ends.
        batch: most records per poll, and per transaction.
        directory: for what it keeps on disk.
    """

    servers: str
    redis_port: int
    topic: str
    run: str
    warm: int
    total: int
    batch: int
    directory: str

    @classmethod
    def given(cls) -> "Job":
        """The job that the first argument of this process describes."""
        return cls(**json.loads(sys.argv[1]))

    @property
    def output(self) -> str:
        """The topic that gets one record per event."""
        return f"{self.run}.out"


class Stopwatch:
    """Measures from the first commit after `warm` events to the one that completes `total`."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._started: tuple[int, float, float] | None = None
        self._ended: tuple[int, float, float] | None = None

    @property
    def done(self) -> bool:
        """Whether all is visible."""
        return self._ended is not None

    @property
    def running(self) -> bool:
        """Whether the measured stretch has begun."""
        return self._started is not None

    def visible(self, events: int) -> None:
        """So many events, in all, are committed in Kafka and readable in Redis now."""
        now = events, time.perf_counter(), time.process_time()
        if self._started is None and events >= self._job.warm:
            self._started = now
        elif self._ended is None and events >= self._job.total:
            self._ended = now

    def report(self, **more: Any) -> None:
        """Print the result as one line of JSON, the last one of the process."""
        assert self._started is not None
        assert self._ended is not None
        events, seconds, cpu_seconds = (end - start for start, end in zip(self._started, self._ended, strict=True))
        print(json.dumps({"events": events, "seconds": seconds, "cpu_seconds": cpu_seconds, **more}), flush=True)
