"""Looking after a running job from outside: its state, how far it has got, and when it has caught up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twinstream.errors import UserError
from twinstream.job.caught_up import CaughtUp, Offsets
from twinstream.job.options import consumer_group
from twinstream.job.rest import FlinkRest
from twinstream.live_line import RENEW_EVERY_S, LiveLine
from twinstream.log.kafka import LogError, committed_offsets, end_offsets, record_ends
from twinstream.logging import get_logger
from twinstream.registry import Registry
from twinstream.settings import Settings
from twinstream.terminal import Terminal

LOOK_EVERY_S = 0.5
REPORT_EVERY_S = 10.0
SHOWN_S = 60.0
"""How long after a restart its cause is shown."""


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """What can be seen of a job at a moment.

    Attributes:
        state: Flink's word for it.
        processed: records up to where it stands, those before its savepoint among them; None until it has said where.
        behind: records still to come; None likewise.
    """

    state: str
    processed: int | None = None
    behind: int | None = None


def log_ends(settings: Settings, registry: Registry) -> Offsets:
    """Where each source partition ends now."""
    return _of_all(registry, lambda topic: end_offsets(settings, topic))


def record_ends_of_all(settings: Settings, registry: Registry) -> Offsets:
    """The offset after the last record of each source partition."""
    return _of_all(registry, lambda topic: record_ends(settings, topic))


def _of_all(registry: Registry, ask: Callable[[str], Mapping[int, int]]) -> Offsets:
    """An offset of each partition of every source topic, given what to ask about a topic."""
    return {(topic, number): offset for topic in registry.topics for number, offset in ask(topic).items()}


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job as `CaughtUp` asks it; see `caught_up.Job`."""

    rest: FlinkRest
    id: str
    settings: Settings
    registry: Registry

    def positions(self) -> Offsets:
        """Up to where its stage has processed each partition."""
        return self.rest.positions(self.id)

    def begin_checkpoint(self) -> str:
        """Ask for a checkpoint."""
        return self.rest.begin_checkpoint(self.id)

    def checkpoint_ended(self, asked: str) -> bool | None:
        """Whether it succeeded; None while it is under way."""
        return self.rest.checkpoint_ended(self.id, asked)

    def committed(self) -> Offsets:
        """What the source has committed with its last checkpoint."""
        source = self.settings.model_copy(update={"consumer_group": consumer_group(self.settings)})
        return _of_all(self.registry, lambda topic: committed_offsets(source, topic))


def watch(
    rest: FlinkRest,
    job: str,
    settings: Settings,
    registry: Registry,
    until: Offsets | None,
    should_stop: Callable[[], bool],
    show: Callable[[JobSnapshot], None],
) -> bool:
    """Look at a job until its results up to some offsets are committed, or it has ended, or somebody wants to stop.

    Args:
        rest, job: which.
        settings: of the job.
        until: the offsets to reach; None for no end.
        should_stop: asked at every snapshot.
        show: told at every snapshot.

    Returns:
        Whether it still runs.

    Raises:
        UserError: it failed for good.
    """
    running, caught_up = RunningJob(rest, job, settings, registry), None if until is None else CaughtUp(until)
    ends = log_ends(settings, registry)
    looked = 0.0
    while not should_stop():
        state = rest.state(job)
        if state in ("FINISHED", "CANCELED"):
            return False
        if state == "FAILED":
            raise UserError(explain(rest.root_exception(job) or "Flink did not say why"))
        try:
            reached = running.positions()
            if caught_up is not None and caught_up.look(running, reached):
                return True
            if time.monotonic() - looked > LOOK_EVERY_S * 4:
                looked, ends = time.monotonic(), log_ends(settings, registry)
        except (UserError, LogError) as error:
            _logger.warning("Cannot see how far the job has got", detail=str(error))
        else:
            behind = sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())
            show(JobSnapshot(state, sum(reached.values()), behind) if reached else JobSnapshot(state))
        time.sleep(LOOK_EVERY_S)
    return True


class JobStatusLine:
    """A live line on a terminal, and a line in the log now and then elsewhere; use it in a `with` block."""

    def __init__(self, console: Terminal, now: Callable[[], float] = time.monotonic) -> None:
        self._line = LiveLine(console, RENEW_EVERY_S if console.is_terminal else REPORT_EVERY_S, now=now)
        self._now = now
        self._restarts = 0
        self._restarted: float | None = None

    def __enter__(self) -> "JobStatusLine":
        self._line.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._line.__exit__(*raised)

    def show(self, snapshot: JobSnapshot, restarts: int, checkpoints: int, why: Callable[[], str]) -> None:
        """Show the job, unless the last one is very recent.

        Args:
            snapshot: at the job.
            restarts, checkpoints: how many it has had.
            why: asked for the cause of the last failure while the job is restarting, and for a while after.
        """
        rate = self._line.rate(snapshot.processed)
        if rate is None:
            return
        now = self._now()
        if restarts > self._restarts:
            self._restarts, self._restarted = restarts, now
        lately = self._restarted is not None and now - self._restarted < SHOWN_S
        failing = lately or snapshot.state in ("RESTARTING", "FAILING")
        cause = why() if failing else ""
        if not self._line.is_shown:
            _logger.info(
                "Job status",
                state=snapshot.state,
                events_per_second=round(rate),
                **({} if snapshot.behind is None else {"behind": snapshot.behind}),
                checkpoints=checkpoints,
                restarts=restarts,
                **({"why": cause} if cause else {}),
            )
        else:
            behind = "" if snapshot.behind is None else f"{snapshot.behind:,} behind  "
            text = f"{snapshot.state.lower()}  {rate:,.0f} events/s  {behind}"
            text += f"{checkpoints} checkpoints  {restarts} restarts"
            self._line.show(f"{text}: {cause}" if cause else text)


def explain(trace: str) -> str:
    """One line for the failure of a job."""
    return f"The job failed: {root_cause(trace)}"


def root_cause(trace: str) -> str:
    """What a stack trace of Java's, and a traceback of Python's in it, says last.

    >>> root_cause("JobException: gone\\n\\tat a.b(c)\\nCaused by: NoClassDefFoundError: zstd\\n\\t... 3 more")
    'NoClassDefFoundError: zstd'
    """
    causes = [
        line.strip() for line in trace.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "..."))
    ]
    return causes[-1].removeprefix("Caused by: ") if causes else trace


_logger = get_logger(__name__)
