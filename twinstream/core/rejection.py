"""Why a record becomes a dead letter instead of a feature update."""

from typing import Literal, get_args

Reason = Literal["oversized", "malformed", "schema", "future", "late", "duplicate", "internal"]
"""The closed set of dead-letter reasons, in the order in which a record is checked."""

REASONS: tuple[Reason, ...] = get_args(Reason)


class Rejected(Exception):
    """The record cannot be applied; it must be set aside as a dead letter.

    Attributes:
        reason: which check refused it.
        detail: what exactly was wrong, readable by a person and the same on every run.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail
