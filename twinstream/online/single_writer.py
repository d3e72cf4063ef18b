"""Who writes the features of a Redis database: one runtime of one consumer group.

`features:*` is what everybody reads, and has no name of a run in it. Two writers that stand at different places of the
log would move it backwards in turn; so the first claim of a group's features notes who it was for, and everybody else
is refused, at its start and at every claim.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from twinstream.errors import UserError
from twinstream.online.keys import writer_key
from twinstream.online.pipeline import Pipe


class Runtime(StrEnum):
    """What computes the features."""

    LOOP = "loop"
    JOB = "job"


_COMMANDS = {Runtime.LOOP: ("loop", "make run-features"), Runtime.JOB: ("flink", "make run-flink")}


class Writer(NamedTuple):
    """A runtime of a consumer group."""

    runtime: Runtime
    consumer_group: str

    def __str__(self) -> str:
        return f"the {self.runtime} with CONSUMER_GROUP={self.consumer_group}"


class OtherWriter(UserError):
    """The features of a database are another's.

    Args:
        address: of Redis.
        group: whose features.
        known: who writes them, runtime and consumer group.
        refused: who wanted to.
    """

    def __init__(self, address: str, group: str, known: tuple[str, str], refused: Writer) -> None:
        runtime, consumer_group = known
        name, command = _COMMANDS[refused.runtime]
        super().__init__(
            f"The {group} features in Redis at {address} are written by the {runtime} with CONSUMER_GROUP="
            f"{consumer_group}, and {refused} cannot go on from there. Give it a database, group and output topics of "
            f"its own, such as: REDIS_DB=1 CONSUMER_GROUP={name} OUTPUT_PREFIX={name}. {command}"
        )


def check_writer(pipe: Pipe, writer: Writer, groups: Iterable[str]) -> None:
    """Return if these groups' features are a writer's, or nobody's so far.

    Raises:
        OtherWriter: they are another's.
        StoreUnavailable: Redis does not answer.
    """
    for group in groups:
        (known,) = pipe.run([("HMGET", writer_key(group), "runtime", "consumer_group")])
        if known[0] is not None and tuple(each.decode() for each in known) != writer:
            raise other_writer(pipe, group, known, writer)


def other_writer(pipe: Pipe, group: str, known: Sequence[bytes | None], refused: Writer) -> OtherWriter:
    """The refusal, from what is stored of who writes a group's features."""
    runtime, consumer_group = ((each or b"").decode() for each in known)
    return OtherWriter(pipe.address, group, (runtime, consumer_group), refused)
