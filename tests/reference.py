"""The reference definitions, as the tests use them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from twinstream.core.feature_group import Feature, FeatureGroup
from twinstream.definitions import load_registry

REGISTRY = load_registry("features")
GROUPS = {group.name: group for group in REGISTRY}
BY_TOPIC = {group.topic: group for group in REGISTRY}

TOGETHER = "features.transaction,tests.definitions.spending,tests.definitions.domestic"
"""Three groups that read the transactions: two that decode alike, and one that refuses all but dollars."""


@contextmanager
def computing(group: FeatureGroup, features: Sequence[Feature]) -> Iterator[None]:
    """While it lasts, a group that is in use computes these features: a fault that a test injects."""
    before = dict(vars(group))
    compute_from_now_on(group, features)
    try:
        yield
    finally:
        vars(group).update(before)


def compute_from_now_on(group: FeatureGroup, features: Sequence[Feature]) -> None:
    """The same for as long as the process lives."""
    vars(group).update(vars(group.with_features(features)))
