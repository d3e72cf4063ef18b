"""The feature groups that a process computes. Nobody imports them: they are loaded once, and passed on from there."""

from collections.abc import Iterable, Iterator

from twinstream.core.feature_group import FeatureGroup
from twinstream.declare import group as declared
from twinstream.errors import UserError


class Registry:
    """Some feature groups, in the order of their definition. Several may read one topic, if they agree on its key.

    Args:
        groups: which; a class that declares a group stands for it.
        source: the modules that define them, as `FEATURES` names them; whoever gets this text loads the same groups.
        notes: what the modules say of their features beyond the catalog, in Markdown.

    Raises:
        UserError: two share a name, or read one topic by different keys.
    """

    def __init__(
        self, groups: Iterable[FeatureGroup | type[declared.FeatureGroup]], source: str = "", notes: str = ""
    ) -> None:
        self.source = source
        self.notes = notes
        self._by_name: dict[str, FeatureGroup] = {}
        self._by_topic: dict[str, tuple[FeatureGroup, ...]] = {}
        for each in groups:
            group = declared.definition_of(each)
            if group is None:
                raise UserError(f"{each!r} declares no feature group: it has no event.")
            if group.name in self._by_name:
                raise UserError(
                    f"{group.place}: there are two feature groups named {group.name!r}. Give one of them another name."
                )
            others = self._by_topic.get(group.topic, ())
            for other in others:
                if other.entity != group.entity:
                    raise UserError(
                        f"{group.place}: the groups {other.name!r} and {group.name!r} read the topic {group.topic!r} "
                        f"by different keys, {other.entity} and {group.entity}, and a topic has one key. Let both name "
                        f"the same entity, or send the records by {group.entity} to another topic."
                    )
            self._by_name[group.name] = group
            self._by_topic[group.topic] = (*others, group)

    def __iter__(self) -> Iterator[FeatureGroup]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """The groups' names."""
        return tuple(self._by_name)

    @property
    def topics(self) -> tuple[str, ...]:
        """The source topics."""
        return tuple(self._by_topic)

    def named(self, name: str) -> FeatureGroup:
        """The group of a name.

        Raises:
            UserError: there is none.
        """
        group = self._by_name.get(name)
        if group is None:
            raise UserError(f"There is no group {name!r}. Choose from {', '.join(self.names)}.")
        return group

    def of_topic(self, topic: str) -> tuple[FeatureGroup, ...]:
        """The groups that read a source topic, in the order of their definition.

        Raises:
            UserError: there is none.
        """
        groups = self._by_topic.get(topic)
        if groups is None:
            raise UserError(f"There is no source topic {topic!r}. Choose from {', '.join(self.topics)}.")
        return groups

    def reads(self, topic: str) -> bool:
        """Whether a topic is the source of a group."""
        return topic in self._by_topic
