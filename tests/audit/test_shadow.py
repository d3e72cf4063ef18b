"""The next version of a group beside the present one."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from producers.parquet import generate_dataset
from tests.reference import GROUPS, REGISTRY
from twinstream.audit.rederive import Sample
from twinstream.audit.shadow import ColumnChange, column_changes, load_candidate, side_by_side
from twinstream.cli import app
from twinstream.errors import UserError
from twinstream.log.kafka import Record
from twinstream.settings import Settings
from twinstream.testing import START_MS

GROUP = GROUPS["transaction"]
CANDIDATE = '''
"""The rate over the time since the oldest payment, and a new feature; the rest stays."""
from twinstream.core.feature_group import Family
from features.payments import PaymentWindow
from features.velocity import velocity

changed = Family("changed")

@changed.feature(unit="events", meaning="Counted from nought.")
def txn_count(window: PaymentWindow) -> int:
    return window.count - 1

@changed.feature(unit="", meaning="Whether there is more than one.")
def is_repeated(window: PaymentWindow) -> bool:
    return window.count > 1
'''


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    """A file with one feature changed and one added."""
    path = tmp_path / "next.py"
    path.write_text(CANDIDATE)
    return path


def payments(count: int) -> list[Record]:
    """One a second, all of one card."""
    value = b'{"transaction_id": "t%d", "event_time": %d, "card_id": "c1", "amount": 5, "currency": "EUR"}'
    return [
        Record("transactions", 0, number, START_MS, None, value % (number, START_MS + 1_000 * number))
        for number in range(count)
    ]


def changes_of(candidate: Path, records: list[Record]) -> dict[str, ColumnChange]:
    frames = side_by_side(GROUP, load_candidate(candidate, REGISTRY, GROUP), [records], Settings(), Sample())
    return {each.feature: each for each in column_changes(*frames)}


def test_the_candidate_is_the_next_version_and_the_present_one_stays(candidate: Path) -> None:
    before = [feature.name for feature in GROUP.features]
    following = load_candidate(candidate, REGISTRY, GROUP)
    assert following.version == GROUP.version + 1
    assert [feature.name for feature in following.features] == [*before, "is_repeated"]
    assert [feature.name for feature in GROUP.features] == before
    assert following.features[0].meaning == "Counted from nought."
    assert GROUP.features[0].meaning != "Counted from nought."


def test_every_column_says_how_it_differs(candidate: Path) -> None:
    changes = changes_of(candidate, payments(4))
    count = changes["txn_count"]
    assert (count.change, count.rows_changed, count.mean, count.median) == ("changed", 1.0, (2.5, 1.5), (2.5, 1.5))
    assert count.distance == 0.25
    assert changes["is_repeated"].change == "new"
    assert changes["is_repeated"].mean == (None, 0.75)
    assert {each.change for name, each in changes.items() if name not in ("txn_count", "is_repeated")} == {"same"}
    assert changes["amount_sum"].distance == 0
    assert changes["seconds_since_previous"].nulls == (0.25, 0.25)
    assert changes["risk_reasons"].distance == 0


def test_distributions_of_names_and_of_numbers_have_a_distance() -> None:
    places = {"partition": [0] * 4, "offset": [0, 1, 2, 3]}
    before = pl.DataFrame(
        places | {"rules": [["a"], ["a"], ["a", "b"], []], "x": [1.0, 2.0, 3.0, None], "old": [1] * 4}
    )
    after = pl.DataFrame(places | {"rules": [["a"], ["b"], ["a", "b"], []], "x": [9.0, 9.0, 9.0, 9.0]})
    rules, numbers, old = column_changes(before, after)
    assert (rules.feature, rules.rows_changed, rules.distance) == ("rules", 0.25, 0.25)
    assert (numbers.feature, numbers.rows_changed, numbers.distance) == ("x", 1.0, 1.0)
    assert numbers.nulls == (0.25, 0.0)
    assert (old.feature, old.change) == ("old", "gone")


def test_the_command_compares_over_a_file(candidate: Path, tmp_path: Path) -> None:
    file = str(generate_dataset(2_000, tmp_path))
    result = CliRunner().invoke(app, ["shadow", "--candidate", str(candidate), "--in", file, "--json"])
    assert result.exit_code == 0, result.output
    changes = {each["feature"]: each for each in json.loads(result.stdout)}
    assert changes["txn_count"]["rows_changed"] == 1.0
    shown = CliRunner().invoke(app, ["shadow", "--candidate", str(candidate), "--in", file, "--share", "0.5"]).stdout
    assert "transaction version 1 and 2" in shown
    assert "is_repeated" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "defines no features"),
        ("from features.velocity import velocity", "defines no features"),
        ("1/0", "does not run: ZeroDiv"),
        ("raise SystemExit", "does not run: SystemExit"),
    ],
)
def test_a_file_that_is_no_candidate_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(UserError, match=message):
        load_candidate(tmp_path / "wrong.py", REGISTRY, GROUP)
    with pytest.raises(UserError, match="There is no file"):
        load_candidate(tmp_path / "none.py", REGISTRY, GROUP)
