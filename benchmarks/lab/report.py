"""Findings: shown on the terminal, and written as the Markdown report that is kept in the repository."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    Attributes:
        title: what was asked.
        columns: their headings.
        rows: cells as they are shown.
        note: what to know to read them; the goal, where there is one.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def table(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, caption=self.note, title_justify="left", caption_justify="left")
        for position, name in enumerate(self.columns):
            table.add_column(name, justify="right" if position else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For the report."""
        lines = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"## {self.title}\n\n{table}\n" + (f"\n{self.note}\n" if self.note else "")


def write_report(path: Path, command: str, findings: Sequence[Finding]) -> None:
    """Write findings with what they were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{psutil.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"
    head = (
        f"# The loop, measured\n\nMade by `{command}` on {machine}; Kafka, Redis, the producer and the contender share "
        "the cores. Read `README.md` for what is compared and how.\n"
    )
    path.write_text("\n".join([head, *(finding.markdown() for finding in findings)]), encoding="utf-8")
