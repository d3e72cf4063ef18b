"""Which topics there are, how big a record in each may be, and creating those that are missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from features.groups import GROUPS
from twinstream.log.kafka import TopicAdmin
from twinstream.log.kafka.rights import check_rights
from twinstream.logging import get_logger
from twinstream.settings import Settings

PARTITIONS = 4
"""Partitions of a source topic that is created here: how many workers of the loop can share the work.

A topic that results go to has as many as its source, so that an entity's results are in the order of its events.
"""

SOURCE_RECORD_BYTES = 17 * 1024 * 1024
"""Largest batch in a source topic: a value of 16 MiB, and a key, headers and framing of up to 1 MiB."""

DEAD_LETTER_BYTES = SOURCE_RECORD_BYTES * 7 // 5 + 64 * 1024
"""Largest batch in a dead-letter topic: such a record in its envelope (base64 takes 4/3, the rest is small)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is to be created."""

    name: str
    partitions: int = PARTITIONS
    configs: dict[str, str] = field(default_factory=dict)


def source_topic(name: str, partitions: int = PARTITIONS) -> Topic:
    """An input topic.

    The broker stamps its records, so that one bad clock cannot vouch for itself, and unpacks what producers compressed:
    otherwise a record far above the limit would get in, and its dead letter would not fit anywhere.
    """
    configs = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(SOURCE_RECORD_BYTES),
        "compression.type": "uncompressed",
    }
    return Topic(name, partitions, configs)


def dead_letter_topic(source: str, prefix: str = "", partitions: int = PARTITIONS) -> Topic:
    """Where the records of `source` go that became no feature."""
    return Topic(f"{prefix}{source}.dlq", partitions, {"max.message.bytes": str(DEAD_LETTER_BYTES)})


def feature_log_topic(group: str, prefix: str = "", partitions: int = PARTITIONS) -> Topic:
    """Where the vectors of `group` go, one for each accepted event."""
    return Topic(f"{prefix}features.{group}", partitions)


def source_topics() -> tuple[Topic, ...]:
    """The topics that the groups read."""
    return tuple(source_topic(group.topic) for group in GROUPS.values())


def output_topics(prefix: str = "", sources: Mapping[str, int] | None = None) -> tuple[Topic, ...]:
    """The topics that results go to; `sources` has the number of partitions of each source topic that there is."""
    width = {group.topic: (sources or {}).get(group.topic, PARTITIONS) for group in GROUPS.values()}
    return (
        *(feature_log_topic(group.name, prefix, width[group.topic]) for group in GROUPS.values()),
        *(dead_letter_topic(group.topic, prefix, width[group.topic]) for group in GROUPS.values()),
    )


def all_topics(prefix: str = "") -> tuple[Topic, ...]:
    """The source topics of all groups, and their outputs under `prefix`."""
    return *source_topics(), *output_topics(prefix)


def prepare_topics(settings: Settings, group: str) -> tuple[str, ...]:
    """Make sure that a runtime may do with the topics and this consumer group what it has to; create what is missing.

    Returns:
        The source topics whose records are not stamped by the broker; a warning has been given of each.

    Raises:
        UserError: Kafka does not answer, or some right is missing.
    """
    read = [topic.name for topic in source_topics()]
    write = [topic.name for topic in output_topics(settings.output_prefix)]
    check_rights(settings, read, write, group)
    if ensure_topics(settings):
        check_rights(settings, read, write, group)
    with TopicAdmin(settings) as admin:
        producer_timed = admin.producer_timed(read)
    for topic in producer_timed:
        _logger.warning(
            "Kafka does not stamp the records of this source topic. A fast clock of a producer vouches for its own "
            "events, and makes those of others late; a missing timestamp, or one in seconds, makes its event `future`",
            topic=topic,
            mend=f"kafka-configs.sh --bootstrap-server {settings.kafka_servers} --alter --entity-type topics "
            f"--entity-name {topic} --add-config message.timestamp.type=LogAppendTime",
        )
    return producer_timed


def ensure_topics(
    where: Settings | str, prefix: str | None = None, *, topics: Iterable[Topic] | None = None
) -> tuple[str, ...]:
    """Create those of `topics` (by default all of them) that are missing; return their names.

    `where` is the settings or just `host:port`; outputs are under `prefix`, by default the settings' own.
    Topics that exist stay as they are, but an output gets as many partitions as its source has.
    """
    if prefix is None:
        prefix = where.output_prefix if isinstance(where, Settings) else ""
    with TopicAdmin(where) as admin:
        present = admin.partitions()
        outputs = output_topics(prefix, present) if topics is None else ()
        wanted = {topic.name: topic for topic in ((*source_topics(), *outputs) if topics is None else topics)}
        missing = [topic for topic in wanted.values() if topic.name not in present]
        created = tuple(topic.name for topic in missing if admin.create(topic.name, topic.partitions, topic.configs))
        for output in outputs:
            if present.get(output.name, output.partitions) < output.partitions:
                admin.widen(output.name, output.partitions)
    return created


_logger = get_logger(__name__)
