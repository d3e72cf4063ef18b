"""What a person sees of a running worker: one live line on a terminal, and a summary at the end."""

import time

from rich.console import Group, RenderableType
from rich.text import Text

from twinstream.core.rejection import REASONS
from twinstream.live_line import LiveLine
from twinstream.log.contract import LogError
from twinstream.loop.loop import Loop
from twinstream.terminal import Terminal, counts_table, plain, styled


class WorkerStatus:
    """Looks at a loop now and then: updates its gauges, and the live line where there is a terminal.

    Call `update` as often as you like; it looks once a second.

    Attributes:
        line: shown while its `with` block runs.
    """

    def __init__(self, loop: Loop, console: Terminal) -> None:
        self._loop = loop
        self.line = LiveLine(console, count=0)
        self._began = self._called = time.monotonic()
        self._seen = 0
        self._busy_s = 0.0
        self._lag = 0

    def update(self) -> None:
        """Look at the loop, if a second has passed since the last look."""
        self._count_busy(time.monotonic())
        rate = self.line.rate(self._loop.totals.input)
        if rate is None:
            return
        metrics = self._loop.totals.metrics
        ready, _ = self._loop.ready()
        if ready:
            self._look_at_lag()
        metrics.cached_entities.set(self._loop.cached_entities)
        metrics.repopulating.set(self._loop.repopulating)
        self.line.show(self._line(rate))

    def _count_busy(self, now: float) -> None:
        """Add the time since the last call if records came in it: a rate is of work, not of waiting for it."""
        count = self._loop.totals.input
        if count != self._seen:
            self._busy_s += now - self._called
            self._seen = count
        self._called = now

    def _look_at_lag(self) -> None:
        try:
            lag = self._loop.lag()
        except LogError:
            return
        self._lag = sum(lag.values())
        for (topic, partition), behind in lag.items():
            self._loop.totals.metrics.consumer_lag.labels(topic, str(partition)).set(behind)

    def _line(self, rate: float) -> Text:
        fault = self._loop.fault
        if fault is not None:
            return styled(("recovering:", "yellow"), " ", (fault, ""))
        letters = self._loop.totals.dead_letters.total()
        return styled(
            (f"{rate:,.0f}", "bold"),
            " events/s   lag ",
            (f"{self._lag:,}", "bold"),
            "   dead letters ",
            (f"{letters:,}", "bold"),
            "   cached entities ",
            (f"{self._loop.cached_entities:,}", "bold"),
        )

    def summary(self) -> RenderableType:
        """What this run did, in a table: for each group, every input record is accepted or a dead letter."""
        totals = self._loop.totals
        self._count_busy(time.monotonic())
        seconds = time.monotonic() - self._began
        reasons = [reason for reason in REASONS if any(key[1] == reason for key in totals.dead_letters)]
        headings = map(_in_two_lines if reasons == list(REASONS) else str, reasons)
        table = counts_table("topic", "input", "accepted", *headings)
        for topic in self._loop.registry.topics:
            groups = [group.name for group in self._loop.registry.of_topic(topic)]
            letters = [f"{totals.dead_letters[topic, reason]:,}" for reason in reasons]
            alone = f"{totals.accepted[groups[0]]:,}" if len(groups) == 1 else ""
            table.add_row(topic, f"{totals.records[topic]:,}", alone, *letters)
            for group in groups if len(groups) > 1 else ():
                table.add_row(f"  {group}", "", f"{totals.accepted[group]:,}", *("" for _ in reasons))
        together = [sum(count for key, count in totals.dead_letters.items() if key[1] == reason) for reason in reasons]
        table.add_row("all", *(f"{count:,}" for count in (totals.input, totals.accepted.total(), *together)))
        notes = [f"{totals.input:,} records in {seconds:.1f} s"]
        if self._busy_s:
            notes[0] += f", {self._busy_s:.1f} s of them at work ({totals.input / self._busy_s:,.0f}/s)"
        if totals.replayed.total():
            notes.append(f"{totals.replayed.total():,} more were applied again, silently")
        if totals.gone:
            notes.append(totals.gone_text)
        if totals.recoveries:
            notes.append(f"{totals.recoveries} recoveries")
        return Group(table, plain("; ".join(notes)))


def _in_two_lines(reason: str) -> str:
    """A long heading, parted: with all of them side by side the table would be wider than a terminal.

    >>> _in_two_lines("duplicate"), _in_two_lines("late")
    ('dupli-\\ncate', 'late')
    """
    middle = (len(reason) + 1) // 2
    return f"{reason[:middle]}-\n{reason[middle:]}" if len(reason) > 6 else reason
