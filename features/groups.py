"""The feature groups: which features are computed for which entity, from which topic."""

from features.clickstream import clickstream
from features.order import order
from features.transaction import transaction
from twinstream.core.catalog import FeatureGroup

GROUPS: dict[str, FeatureGroup] = {group.name: group for group in (transaction, order, clickstream)}
"""Every group, by name."""

BY_TOPIC: dict[str, FeatureGroup] = {group.topic: group for group in GROUPS.values()}
"""Every group, by source topic."""
