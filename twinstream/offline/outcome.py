"""What became of the rows of a run: how many did well, and why the others did not."""

from collections import Counter
from dataclasses import dataclass, field

HARDLY_ANY_PERCENT = 1
"""A run of which less than this did well has most likely been given the wrong thing."""


@dataclass(slots=True)
class Outcome:
    """Counts of a run.

    Attributes:
        good: rows that did well.
        reasons: of the others, how many for each reason.
        examples: of each reason, one case in words.
    """

    good: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All rows."""
        return self.good + self.reasons.total()

    def refuse(self, reason: str, example: str) -> None:
        """Count a row that did not do well."""
        self.reasons[reason] += 1
        self.examples.setdefault(reason, example)

    def add(self, other: "Outcome") -> None:
        """Count another's, too."""
        self.good += other.good
        self.reasons += other.reasons
        self.examples = other.examples | self.examples

    def complaint(self, whats: str, did_well: str) -> str | None:
        """One line for a run in which nothing or hardly anything did well; None for any other.

        >>> Outcome(1, Counter({"late": 2, "schema": 997}), {"schema": "no id"}).complaint("records", "were accepted")
        'Of 1,000 records only 1 were accepted. Most often: schema (997), for example: no id.'
        """
        if self.good * 100 >= self.total * HARDLY_ANY_PERCENT and self.good:
            return None
        if not self.total:
            return f"There were no {whats}."
        ((reason, count),) = self.reasons.most_common(1)
        example = self.examples.get(reason)
        return (
            f"Of {self.total:,} {whats} {f'only {self.good:,}' if self.good else 'none'} {did_well}. "
            f"Most often: {reason} ({count:,})" + (f", for example: {example}." if example else ".")
        )
