"""What a savepoint or checkpoint has, and how a job continues from it.

A group goes on from a savepoint that has something of it, wherever the job begins to read: its states say how far it
has got, and it skips what lies before. So a topic is read on from where the savepoint is when the same groups read it
as then, and from its beginning when others do.

Flink refuses a savepoint with state that no operator of the job claims, unless it is told to leave such state. It must
be told so when other groups read a topic than before. Then it would also leave what the job cannot do without, and say
nothing: so the names in the savepoint are looked at before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinstream.errors import UserError
from twinstream.job.sources import SOURCE_UID, SourceTopic, groups_named, life_beside
from twinstream.logging import get_logger

LEAVE_UNCLAIMED = {"execution.state-recovery.ignore-unclaimed-state": "true"}


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a job continues from a savepoint.

    Attributes:
        sources: the topics, with each group under the name that the savepoint has it by.
        configuration: what Flink has to be told.
    """

    sources: tuple[SourceTopic, ...]
    configuration: dict[str, str] = field(default_factory=dict)


def operators_in(savepoint: str) -> frozenset[str]:
    """The uids of the operators that a savepoint has state of.

    Raises:
        UserError: it cannot be read.
    """
    from py4j.protocol import Py4JJavaError
    from pyflink.java_gateway import get_gateway

    java = get_gateway().jvm
    runtime = java.org.apache.flink.runtime
    try:
        place = runtime.state.filesystem.AbstractFsCheckpointStorageAccess.resolveCheckpointPointer(savepoint)
        stream = java.java.io.DataInputStream(place.getMetadataHandle().openInputStream())
        loader = java.Thread.currentThread().getContextClassLoader()
        metadata = runtime.checkpoint.Checkpoints.loadCheckpointMetadata(stream, loader, savepoint)
        stream.close()
    except Py4JJavaError as error:
        raise UserError(f"SAVEPOINT={savepoint} cannot be read: {error.java_exception.getMessage()}") from None
    uids = (operator.getOperatorUid() for operator in metadata.getOperatorStates())
    return frozenset(uid.get() for uid in uids if uid.isPresent())


def continue_from(
    savepoint: str, found: Collection[str], sources: Sequence[SourceTopic], needed: Collection[str]
) -> Continuation:
    """How a job continues from a savepoint.

    Args:
        savepoint: where it lies.
        found: the uids of the operators that it has state of.
        sources: the topics of the job.
        needed: the uids that it must have.

    Raises:
        UserError: it has not, or it has no group of the job in its present epoch.
    """
    known = groups_named(found)
    groups = [group for source in sources for group in source.groups]
    new = [group.name for group in groups if group.identity not in known]
    if not set(needed) <= set(found) or len(new) == len(groups):
        raise UserError(
            "The savepoint is of another epoch or mode: the state's version, WINDOW_SIZE_MINUTES, "
            "ALLOWED_LATENESS_SECONDS or MAX_EVENTS_PER_ENTITY has changed, the topics were created anew, or --mode is "
            "not what it was. Start without SAVEPOINT to rebuild from the log."
        )
    continued = tuple(_continued(source, known, life_beside(savepoint)) for source in sources)
    anew = [source for source in continued if source.uid not in found]
    again = [source.name for source in anew if any(group.identity in known for group in source.groups)]
    if new:
        _logger.warning("The savepoint has nothing of these groups: they begin where their topics do", groups=new)
    if again:
        _logger.warning(
            "Other groups read these topics than before, so they are read from their beginnings: the groups that the "
            "savepoint has skip what they have had",
            topics=again,
        )
    read = {uid for uid in found if uid.startswith(SOURCE_UID)}
    gone = read - {source.uid for source in continued}
    if left := groups_named(read).keys() - {group.identity for group in groups}:
        _logger.warning(
            "What the savepoint has of other groups or epochs is left",
            operators=sorted(uid for uid in gone if left & groups_named([uid]).keys()),
        )
    return Continuation(continued, LEAVE_UNCLAIMED if gone else {})


def _continued(source: SourceTopic, known: Mapping[str, str], life: str) -> SourceTopic:
    """The topic, its groups in the lives that a savepoint knows, or in a life that begins beside it."""
    groups = (
        replace(group, life=known[group.identity].removeprefix(group.identity) if group.identity in known else life)
        for group in source.groups
    )
    return replace(source, groups=tuple(groups))


_logger = get_logger(__name__)
