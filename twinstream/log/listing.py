"""`twinstream topics`: the topics of the groups, created where they are missing."""

from rich import box
from rich.table import Table

from twinstream.definitions import load_registry
from twinstream.log.kafka import TopicAdmin
from twinstream.log.topics import all_topics, ensure_topics
from twinstream.registry import Registry
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal


def topics(features: Features = None) -> None:
    """Create the topics of the groups that are missing, and list all of them."""
    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    created = ensure_topics(settings, registry)
    with TopicAdmin(settings) as admin:
        partitions = admin.partitions()
    Terminal().print(as_table(registry, settings.output_prefix, partitions, created))


def as_table(registry: Registry, prefix: str, partitions: dict[str, int], created: tuple[str, ...]) -> Table:
    """The topics for a person.

    Args:
        registry: whose.
        prefix: put before the names of outputs.
        partitions: of every topic in Kafka.
        created: those that were missing.
    """
    table = Table("topic", "partitions", "what is in it", "", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    groups_of = [", ".join(group.name for group in registry.of_topic(topic)) for topic in registry.topics]
    contents = [
        *(f"source of {names}" for names in groups_of),
        *(f"feature log of {name}" for name in registry.names),
        *(f"dead letters of {names}" for names in groups_of),
    ]
    for topic, content in zip(all_topics(registry, prefix), contents, strict=True):
        new = "new" if topic.name in created else ""
        table.add_row(topic.name, str(partitions.get(topic.name, 0)), content, new)
    return table
