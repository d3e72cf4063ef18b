"""Who writes the features of an online store: one runtime of one consumer group.

`features:*` is what everybody reads, and has no name of a run in it. Two writers that stand at different places of the
log would move it backwards in turn; so the first claim of a group's features notes who it was for, and everybody else
is refused, at its start and at every claim.
"""

from enum import StrEnum
from typing import NamedTuple

from twinstream.errors import UserError
from twinstream.packages import typed


class Runtime(StrEnum):
    """What computes the features."""

    LOOP = "loop"
    JOB = "job"


_COMMANDS = {
    Runtime.LOOP: ("loop", "run-features", "twinstream run"),
    Runtime.JOB: ("flink", "run-flink", "twinstream flink run"),
}
"""A name for a run beside the first, and how the runtime is started: as a target of the Makefile, and as a command."""


class Writer(NamedTuple):
    """A runtime of a consumer group."""

    runtime: Runtime
    consumer_group: str

    def __str__(self) -> str:
        return f"the {self.runtime} with CONSUMER_GROUP={self.consumer_group}"


class OtherWriter(UserError):
    """The features of a store are another's.

    Args:
        place: the store, as in "Redis at localhost:6379".
        group: whose features.
        known: who writes them, runtime and consumer group.
        refused: who wanted to.
    """

    def __init__(self, place: str, group: str, known: tuple[str, str], refused: Writer) -> None:
        runtime, consumer_group = known
        name, *starts = _COMMANDS[refused.runtime]
        super().__init__(
            f"The {group} features in {place} are written by the {runtime} with CONSUMER_GROUP="
            f"{consumer_group}, and {refused} cannot go on from there. Give it a database, group and output topics of "
            f"its own, such as: REDIS_DB=1 CONSUMER_GROUP={name} OUTPUT_PREFIX={name}. {typed(*starts)}"
        )
