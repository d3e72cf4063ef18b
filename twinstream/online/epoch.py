"""The epoch: what stored states depend on. States of another epoch are not read, but rebuilt from the log."""

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.state import state_version
from twinstream.settings import Settings


def epoch(topic_id: str, group: FeatureGroup, settings: Settings) -> str:
    """Names everything a stored state depends on: the topic's life, the group's events and the rules of the window."""
    rules = (settings.window_ms, settings.lateness_ms, settings.max_future_skew_ms, settings.max_events_per_entity)
    return f"{topic_id}:{state_version(group.event_type)}:" + "-".join(map(str, rules))


def is_of(recorded: str, group: FeatureGroup, settings: Settings) -> bool:
    """Whether an epoch is of these events and these rules, whichever life of the topic it is of."""
    return recorded.partition(":")[2] == epoch("", group, settings).partition(":")[2]
