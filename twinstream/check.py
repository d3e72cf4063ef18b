"""`twinstream check`: whether feature definitions can be computed, before a record is."""

from pathlib import Path

from rich import box
from rich.table import Table

from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import Rejected
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.registry import Registry
from twinstream.settings import load_settings
from twinstream.terminal import Features, Terminal


def check(features: Features = None) -> None:
    """Load the feature definitions and say what is wrong with them, or what they define."""
    settings = load_settings(features=features)
    registry = load_registry(settings.features)
    for group in registry:
        check_without_events(group, settings.window_ms)
    Terminal().print(as_table(registry))


def check_without_events(group: FeatureGroup, window_ms: int) -> None:
    """Compute a group's features of an empty window, as a reader does long after an entity's last event.

    Raises:
        UserError: one raises.
    """
    try:
        window = group.window(window_ms)
    except Exception as fault:
        raise UserError(f"The window of the group {group.name!r} cannot be made: {fault}") from fault
    try:
        group.compute(window)
    except Rejected as rejected:
        name = rejected.detail.split()[0]
        functions = {feature.family: feature.derive for feature in group.features}
        functions |= {feature.name: feature.compute for feature in group.features}
        code = getattr(functions.get(name), "__code__", None)
        theirs = code is not None and not Path(code.co_filename).is_relative_to(Path(__file__).parent)
        place = f"{code.co_filename}:{code.co_firstlineno}: " if code is not None and theirs else ""
        raise UserError(
            f"{place}{rejected.detail} ({rejected.__cause__}) of a window without events, which is what a reader gets "
            "long after an entity's last one. Return None or 0 there."
        ) from None


def as_table(registry: Registry) -> Table:
    """What is defined, for a person."""
    table = Table("group", "topic", "entity", "event", "features", box=box.SIMPLE_HEAD, title="All well")
    table.columns[-1].justify = "right"
    for group in registry:
        table.add_row(group.name, group.topic, group.entity, group.event_type.__name__, str(len(group.features)))
    return table
