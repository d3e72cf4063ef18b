"""The catalog, the docs made from it, and the examples in the docstrings."""

import doctest
import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

import features
import twinstream.core
from features.events import Payment
from tests.features.events import MIDDAY_MS, action, as_dict, payment
from tests.reference import BY_TOPIC, GROUPS
from twinstream import Family, FeatureGroup, Window
from twinstream.cli import app
from twinstream.core.rejection import Rejected
from twinstream.core.state import EntityState, WindowConfig
from twinstream.errors import UserError

ROOT = Path(__file__).parents[2]
MODULES = [
    importlib.import_module(module.name)
    for package in (features, twinstream.core)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]
PYTHON_TYPES = {"int": int, "float": float, "bool": bool, "names": tuple}

EXPECTED = {
    "transaction": """txn_count amount_sum amount_mean amount_std amount_max txn_per_minute seconds_since_previous
        declined_count distinct_merchants distinct_countries distinct_devices distinct_currencies
        distance_from_previous_km speed_from_previous_kmh max_speed_kmh window_span_km risk_score risk_reasons
        window_truncated""",
    "order": """txn_count amount_sum amount_mean amount_std amount_max txn_per_minute seconds_since_previous
        declined_count distinct_merchants distinct_countries distinct_devices distinct_currencies
        distance_from_previous_km speed_from_previous_kmh max_speed_kmh window_span_km window_truncated""",
    "clickstream": """events events_per_minute distinct_pages distinct_products dwell_seconds engagement_score
        product_views cart_adds checkouts purchases view_to_cart_rate cart_to_purchase_rate session_duration_seconds
        session_events is_bounce cart_abandoned seconds_since_last_event window_truncated""",
}


def run(*arguments: str) -> str:
    """What `twinstream catalog` prints."""
    result = CliRunner().invoke(app, ["catalog", *arguments])
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("group", EXPECTED)
def test_names_of_the_features_are_the_contract(group: str) -> None:
    assert [feature.name for feature in GROUPS[group].features] == EXPECTED[group].split()


def test_every_topic_has_its_group() -> None:
    assert {topic: group.name for topic, group in BY_TOPIC.items()} == {
        "transactions": "transaction",
        "orders": "order",
        "clickstream": "clickstream",
    }


@pytest.mark.parametrize("group", GROUPS)
def test_values_have_the_types_that_the_catalog_says(group: str) -> None:
    make = action if group == "clickstream" else payment
    state = EntityState(GROUPS[group], WindowConfig(300_000))
    for offset in range(3):
        state.insert(make(MIDDAY_MS + offset, offset), MIDDAY_MS - 1)
    for now_ms in (MIDDAY_MS + 2, MIDDAY_MS + 10**7):
        vector = as_dict(state.vector_at(now_ms))
        for feature in GROUPS[group].features:
            value = vector[feature.name]
            assert (value is None and feature.nullable) or type(value) is PYTHON_TYPES[feature.type], feature.name


def test_every_feature_says_what_it_means() -> None:
    for group in GROUPS.values():
        for feature in group.features:
            assert feature.meaning.rstrip(".")[:1].isupper(), feature.name
            assert feature.meaning.endswith("."), feature.name


def test_docs_table_is_fresh() -> None:
    fresh = (ROOT / "docs" / "features.md").read_text() == run("--format", "markdown")
    assert fresh, "docs/features.md is stale: twinstream catalog --format markdown > docs/features.md"


def test_catalog_as_json_lists_every_feature() -> None:
    rows = json.loads(run("--format", "json"))
    assert len(rows) == sum(len(group.features) for group in GROUPS.values())
    assert rows[0] == {
        "group": "transaction",
        "feature": "txn_count",
        "type": "int",
        "unit": "events",
        "meaning": "Payments of the entity in the window, this one included.",
    }


def test_catalog_as_a_table_shows_one_group_when_asked() -> None:
    table = run("--group", "order")
    assert "txn_count" in table
    assert "session_events" not in table


def test_catalog_of_an_unknown_group_names_the_groups() -> None:
    with pytest.raises(UserError, match=r"no group 'pigeons'\. Choose from transaction, order, clickstream"):
        CliRunner().invoke(app, ["catalog", "--group", "pigeons"], catch_exceptions=False)


def counting(family: Family[int]) -> FeatureGroup:
    """The order group with two features of a family that looks at a number."""

    @family.feature(unit="events", meaning="The number.")
    def number(count: int) -> int:
        return count

    @family.feature(unit="events", meaning="Its double.")
    def double(count: int) -> int:
        return 2 * count

    return GROUPS["order"].with_features([*GROUPS["order"].features, *family.features])


def test_what_a_family_derives_is_derived_once_at_each_moment() -> None:
    moments = []

    def count(window: Window[Payment]) -> int:
        moments.append(window.now_ms)
        return window.count

    state = EntityState(counting(Family("numbers", derive=count)), WindowConfig(300_000))
    vector = as_dict(state.insert(payment(MIDDAY_MS), MIDDAY_MS - 1))
    assert (vector["number"], vector["double"]) == (1, 2)
    vector = as_dict(state.vector_at(MIDDAY_MS + 300_000))
    assert (vector["number"], vector["double"]) == (0, 0)
    assert moments == [MIDDAY_MS, MIDDAY_MS + 300_000]


def test_a_family_that_cannot_derive_is_named() -> None:
    def count(window: Window[Payment]) -> int:
        raise KeyError("injected")

    state = EntityState(counting(Family("numbers", derive=count)), WindowConfig(300_000))
    with pytest.raises(Rejected, match="internal: numbers raised KeyError"):
        state.insert(payment(MIDDAY_MS), MIDDAY_MS - 1)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
