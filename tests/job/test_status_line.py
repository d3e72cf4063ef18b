"""What a person sees of a running job."""

from io import StringIO

from structlog.testing import capture_logs

from twinstream.job.watch import JobSnapshot, JobStatusLine
from twinstream.terminal import Terminal


def shown(*looks: tuple[float, str, int]) -> list[dict[str, object]]:
    """The fields of the lines logged for looks at a job: when, its state, and its restarts so far."""
    now_s = 0.0
    with capture_logs() as lines, JobStatusLine(Terminal(file=StringIO()), now=lambda: now_s) as line:
        for at_s, state, restarts in looks:
            now_s = at_s
            line.show(JobSnapshot(state, 0, 0), restarts, 0, lambda: "Redis is away")
    return [dict(each) for each in lines]


def test_a_job_that_has_not_restarted_gives_no_reason() -> None:
    (running,) = shown((10, "RUNNING", 0))
    assert "why" not in running


def test_a_restarting_job_says_why_also_between_its_attempts() -> None:
    restarting, running = shown((10, "RESTARTING", 0), (20, "RUNNING", 1))
    assert restarting["why"] == running["why"] == "Redis is away"


def test_a_job_that_runs_again_for_a_minute_says_nothing_more() -> None:
    restarted, later = shown((10, "RUNNING", 1), (80, "RUNNING", 1))
    assert ("why" in restarted, "why" in later) == (True, False)


def test_a_job_that_has_not_said_where_it_stands_is_not_taken_to_be_at_the_beginning() -> None:
    now_s = 0.0
    with capture_logs() as lines, JobStatusLine(Terminal(file=StringIO()), now=lambda: now_s) as line:
        for snapshot in (JobSnapshot("RUNNING"), JobSnapshot("RUNNING", 30_000, 5), JobSnapshot("RUNNING", 30_005, 0)):
            now_s += 10
            line.show(snapshot, 0, 0, str)
    starting, continued, done = lines
    assert "behind" not in starting
    assert (continued["events_per_second"], continued["behind"]) == (0, 5)
    assert (done["events_per_second"], done["behind"]) == (round(5 / 10), 0)
