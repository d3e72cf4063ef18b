"""Which topics there are, how big a record in each may be, and creating those that are missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from twinstream.log.kafka import TopicAdmin
from twinstream.log.kafka.rights import check_rights
from twinstream.logging import get_logger
from twinstream.registry import Registry
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
    """Where the records of `source` go that a group refused, for all groups that read it."""
    return Topic(f"{prefix}{source}.dlq", partitions, {"max.message.bytes": str(DEAD_LETTER_BYTES)})


def feature_log_topic(group: str, prefix: str = "", partitions: int = PARTITIONS) -> Topic:
    """Where the vectors of `group` go, one for each accepted event."""
    return Topic(f"{prefix}features.{group}", partitions)


def source_topics(registry: Registry) -> tuple[Topic, ...]:
    """The topics that the groups read."""
    return tuple(source_topic(topic) for topic in registry.topics)


def output_topics(registry: Registry, prefix: str = "", sources: Mapping[str, int] | None = None) -> tuple[Topic, ...]:
    """The topics that results go to; `sources` has the number of partitions of each source topic that there is."""
    width = {topic: (sources or {}).get(topic, PARTITIONS) for topic in registry.topics}
    return (
        *(feature_log_topic(group.name, prefix, width[group.topic]) for group in registry),
        *(dead_letter_topic(topic, prefix, width[topic]) for topic in registry.topics),
    )


def all_topics(registry: Registry, prefix: str = "") -> tuple[Topic, ...]:
    """The source topics of all groups, and their outputs under `prefix`."""
    return *source_topics(registry), *output_topics(registry, prefix)


def prepare_topics(settings: Settings, registry: Registry, group: str) -> tuple[str, ...]:
    """Make sure that a runtime may do with the topics and this consumer group what it has to; create what is missing.

    Returns:
        The source topics whose records are not stamped by the broker; a warning has been given of each.

    Raises:
        UserError: Kafka does not answer, or some right is missing.
    """
    read = [topic.name for topic in source_topics(registry)]
    write = [topic.name for topic in output_topics(registry, settings.output_prefix)]
    check_rights(settings, read, write, group)
    if ensure_topics(settings, registry):
        check_rights(settings, read, write, group)
    with TopicAdmin(settings) as admin:
        producer_timed = admin.producer_timed(read)
    for topic in producer_timed:
        _logger.warning(
            "Kafka does not stamp the records of this source topic, so nobody vouches for event times: one that is far "
            "ahead moves the watermark only when ten records in a row are, and a record with no timestamp, or with one "
            "in seconds, is `future`",
            topic=topic,
            mend=f"kafka-configs.sh --bootstrap-server {settings.kafka_servers} --alter --entity-type topics "
            f"--entity-name {topic} --add-config message.timestamp.type=LogAppendTime",
        )
    return producer_timed


def ensure_topics(where: Settings | str, registry: Registry, prefix: str | None = None) -> tuple[str, ...]:
    """Create those topics of the groups that are missing; return their names.

    `where` is the settings or just `host:port`; outputs are under `prefix`, by default the settings' own.
    Topics that exist stay as they are, but an output gets as many partitions as its source has.
    """
    if prefix is None:
        prefix = where.output_prefix if isinstance(where, Settings) else ""
    with TopicAdmin(where) as admin:
        present = admin.partitions()
        outputs = output_topics(registry, prefix, present)
        created = _create_missing(admin, present, (*source_topics(registry), *outputs))
        for output in outputs:
            if present.get(output.name, output.partitions) < output.partitions:
                admin.widen(output.name, output.partitions)
    return created


def create_topics(where: Settings | str, topics: Iterable[Topic]) -> tuple[str, ...]:
    """Create those of these topics that are missing; return their names."""
    with TopicAdmin(where) as admin:
        return _create_missing(admin, admin.partitions(), topics)


def _create_missing(admin: TopicAdmin, present: Mapping[str, int], topics: Iterable[Topic]) -> tuple[str, ...]:
    wanted = {topic.name: topic for topic in topics}
    missing = [topic for topic in wanted.values() if topic.name not in present]
    return tuple(topic.name for topic in missing if admin.create(topic.name, topic.partitions, topic.configs))


_logger = get_logger(__name__)
