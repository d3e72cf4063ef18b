"""What a savepoint or checkpoint has, and how a job continues from it.

Flink refuses a savepoint with state that no operator of the job claims, unless it is told to leave such state. It must
be told so when a topic has gone or is of another epoch. Then it would also leave what the job cannot do without, and
say nothing: so the names in the savepoint are looked at before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from twinstream.errors import UserError
from twinstream.job.sources import SOURCE_UID, SourceTopic
from twinstream.logging import get_logger

LEAVE_UNCLAIMED = {"execution.state-recovery.ignore-unclaimed-state": "true"}


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a job continues from a savepoint.

    Attributes:
        sources: the topics; those that the savepoint has nothing of begin beside it.
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
        UserError: it has not, or it has no topic of the job in its present epoch.
    """
    if not set(needed) <= set(found) or not any(source.uid in found for source in sources):
        raise UserError(
            "The savepoint is of another epoch or mode: the state's version, WINDOW_SIZE_MINUTES, "
            "ALLOWED_LATENESS_SECONDS or MAX_EVENTS_PER_ENTITY has changed, the topics were created anew, or --mode is "
            "not what it was. Start without SAVEPOINT to rebuild from the log."
        )
    new = [source.name for source in sources if source.uid not in found]
    if new:
        _logger.warning("The savepoint has nothing of these topics: read from their beginnings", topics=new)
    gone = {uid for uid in found if uid.startswith(SOURCE_UID)} - {source.uid for source in sources}
    if gone:
        _logger.warning("What the savepoint has of other topics or epochs is left", operators=sorted(gone))
    continued = tuple(replace(each, begins_beside=savepoint) if each.name in new else each for each in sources)
    return Continuation(continued, LEAVE_UNCLAIMED if gone else {})


_logger = get_logger(__name__)
