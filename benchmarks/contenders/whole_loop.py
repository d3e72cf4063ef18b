"""Twinstream's loop: every feature of the transaction group, exact recovery, the feature log, Redis.

It is `twinstream.loop.loop.Loop` on its own clients, as `twinstream.loop.worker` puts them together. While it runs, the
time of each stage is taken; `PROFILE=file` in the environment writes a profile of the measured stretch (read it with
`python -m pstats file`).
"""

import cProfile
import os
import time
from collections import Counter
from typing import Any

import psutil

from benchmarks.contenders.stopwatch import Job, Stopwatch
from features import transaction_features
from twinstream.interpreter import tune_interpreter
from twinstream.log.kafka import KafkaLog
from twinstream.loop.commit import Portion, Step
from twinstream.loop.loop import Loop
from twinstream.online.redis.connection import connect
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings

STAGES = {
    Step.POLLED: "poll",
    Step.LOADED: "load",
    Step.APPLIED: "apply",
    Step.OUTPUT_SENT: "encode output",
    Step.OFFSETS_SENT: "make Redis writes, await output",
    Step.TRANSACTION_COMMITTED: "commit",
    Step.FEATURES_WRITTEN: "await Redis",
    Step.PROGRESS_SAVED: "save progress",
}
"""The stage that ends with each step."""

MEMORY_READINGS = 8
"""How often the memory is read."""


class MeasuredLoop(Loop):
    """The loop with its stages timed: elapsed time, and processor time of the loop's thread."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self._job = job
        self.watch = Stopwatch(job)
        self.elapsed: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self._marks = time.perf_counter(), time.thread_time()
        self._profile = cProfile.Profile() if "PROFILE" in os.environ else None
        super().__init__(
            lambda on_assigned, on_revoked: KafkaLog(settings, [job.topic], on_assigned, on_revoked),
            connect(settings),
            settings,
            Registry([transaction_features.with_topic(job.topic)]),
            reached=lambda step: self._stage(STAGES[step]),
        )

    def _stage(self, name: str) -> None:
        before, now = self._marks, (time.perf_counter(), time.thread_time())
        if self.watch.running:
            self.elapsed[name] += now[0] - before[0]
            self.cpu[name] += now[1] - before[1]
        self._marks = now

    def _load(self, stamped: Any) -> None:
        self._stage("stamp")
        super()._load(stamped)

    def _make_room(self, batch: list[Portion]) -> None:
        super()._make_room(batch)
        self._stage("bookkeeping")

    def measure(self) -> None:
        """Run the job and report."""
        watch, profile = self.watch, self._profile
        process, memory = psutil.Process(), []
        while not watch.done:
            self.cycle()
            self._stage("send Redis writes")
            seen = self.totals.input
            watch.visible(seen)
            if seen * MEMORY_READINGS >= self._job.total * (len(memory) + 1):
                memory.append((seen, self.cached_entities, process.memory_info().rss))
            if profile is not None and watch.running:
                profile.enable()
        if profile is not None:
            profile.disable()
            profile.dump_stats(os.environ["PROFILE"])
        watch.report(elapsed=self.elapsed, cpu=self.cpu, memory=memory)


def main() -> None:
    """Run the job."""
    job = Job.given()
    settings = load_settings(
        kafka_servers=job.servers,
        consumer_group=job.run,
        output_prefix=f"{job.run}.",
        redis_port=job.redis_port,
        max_poll_records=job.batch,
        log_level="WARNING",
    )
    loop = MeasuredLoop(job, settings)
    tune_interpreter()
    loop.measure()
    loop.log.close()


if __name__ == "__main__":
    main()
