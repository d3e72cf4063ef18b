"""The point-in-time join against a naive one: the newest vector that was known, never one from the future."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import tries
from tests.reference import GROUPS
from twinstream.core.feature_group import FeatureGroup
from twinstream.errors import UserError
from twinstream.offline.columns import TIME, columns
from twinstream.offline.dataset import Dataset
from twinstream.offline.training_set import Wanted, training_set

GROUP = GROUPS["transaction"]
WINDOW_MS = 50
START_MS = 1_772_452_800_000
ENTITIES = ("c1", "c2", "c3")

Vector = dict[str, Any]

vector = st.tuples(
    st.sampled_from(ENTITIES),
    st.integers(0, 200),  # event time
    st.integers(-20, 60),  # how long after it the record was appended; a clock may be ahead
    st.integers(0, 1),  # partition
)
label = st.tuples(st.sampled_from((*ENTITIES, "unknown", None)), st.integers(-10, 300))


def logged(drawn: list[tuple[str, int, int, int]]) -> list[Vector]:
    """Vectors as a log has them: offsets and arrival times rise within a partition; `txn_count` tells them apart."""
    vectors = []
    for number, (entity, at, delay, partition) in enumerate(sorted(drawn, key=lambda each: each[1] + each[2])):
        vectors.append(
            {
                "entity": entity,
                "event_time": START_MS + at,
                "timestamp": START_MS + at + delay,
                "partition": partition,
                "offset": number,
                "txn_count": number,
            }
        )
    return vectors


def write(
    root: Path,
    vectors: list[Vector],
    origin: str = "topic features.transaction",
    group: FeatureGroup = GROUP,
) -> None:
    schema = columns(group)
    rows = {name: [vector.get(name) for vector in vectors] for name in schema}
    plain = {name: pl.Int64 if kind == TIME else kind for name, kind in schema.items()}
    dataset = Dataset(root, group)
    with dataset.writing(origin):
        dataset.write(0, 0, len(vectors), pl.DataFrame(rows, schema=plain).cast(schema))


def naive(vectors: list[Vector], entity: str | None, at_ms: int, as_known_now: bool) -> int | None:
    """The newest vector of the entity that qualifies, by looking at all of them."""
    known = [
        each
        for each in vectors
        if each["entity"] == entity
        and at_ms - WINDOW_MS < each["event_time"] <= at_ms
        and (as_known_now or each["timestamp"] <= at_ms)
    ]
    newest = max(known, key=lambda each: (each["event_time"], each["partition"], each["offset"]), default=None)
    return None if newest is None else int(newest["txn_count"])


def joined(root: Path, labels: pl.DataFrame, **options: Any) -> pl.DataFrame:
    labels.write_parquet(root / "labels.parquet")
    wanted = [Wanted(group, options.pop("entity_column", "card_id")) for group in options.pop("groups", [GROUP])]
    options = {"time_column": "timestamp"} | options
    training_set(root / "labels.parquet", root, root / "train.parquet", wanted, WINDOW_MS, **options)
    return pl.read_parquet(root / "train.parquet")


def labels_of(drawn: list[tuple[str | None, int]]) -> pl.DataFrame:
    rows = {"card_id": [each[0] for each in drawn], "timestamp": [START_MS + each[1] for each in drawn]}
    return pl.DataFrame(rows, schema={"card_id": pl.String, "timestamp": pl.Int64})


@tries(80)
@given(st.lists(vector, min_size=1, max_size=40), st.lists(label, min_size=1, max_size=20), st.booleans())
def test_the_join_equals_a_naive_one_and_leaks_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, int, int, int]],
    asked: list[tuple[str | None, int]],
    as_known_now: bool,
) -> None:
    root = tmp_path_factory.mktemp("join")
    vectors = logged(drawn)
    write(root, vectors)
    rows = joined(root, labels_of(asked), as_known_now=as_known_now)
    assert rows["card_id"].to_list() == [entity for entity, _ in asked]
    assert rows["transaction__txn_count"].to_list() == [
        naive(vectors, entity, START_MS + at, as_known_now) for entity, at in asked
    ]
    moment = pl.col("timestamp")
    happened, arrived = (pl.col(f"transaction__{name}").dt.epoch("ms") for name in ("event_time", "timestamp"))
    assert rows.filter((happened > moment) | (happened <= moment - WINDOW_MS)).is_empty()
    assert as_known_now or rows.filter(arrived > moment).is_empty()


def test_a_vector_is_known_once_everything_before_it_in_its_log_had_arrived(tmp_path: Path) -> None:
    """A producer's clock may put an earlier timestamp on a later record: its vector contains the one before it."""
    first = {"entity": "c1", "event_time": START_MS, "timestamp": START_MS + 30, "partition": 0}
    second = first | {"event_time": START_MS + 1, "timestamp": START_MS + 5, "offset": 1, "txn_count": 2}
    write(tmp_path, [first | {"offset": 0, "txn_count": 1}, second])
    rows = joined(tmp_path, labels_of([("c1", 10), ("c1", 29), ("c1", 30)]))
    assert rows["transaction__txn_count"].to_list() == [None, None, 2]


def test_labels_keep_their_columns_and_their_order(tmp_path: Path) -> None:
    write(tmp_path, logged([("c1", 0, 0, 0), ("c2", 10, 0, 0)]))
    labels = labels_of([("c2", 20), ("c1", 5), ("c2", 10)]).with_columns(pl.Series("fraud", [True, False, None]))
    rows = joined(tmp_path, labels)
    assert rows.select(labels.columns).equals(labels)
    assert rows["transaction__txn_count"].to_list() == [1, 0, 1]


def test_times_of_labels_may_be_text(tmp_path: Path) -> None:
    write(tmp_path, logged([("c1", 0, 0, 0)]))
    labels = pl.DataFrame({"card_id": ["c1"], "timestamp": ["2026-03-02T13:00:00.010+01:00"]})
    assert joined(tmp_path, labels)["transaction__txn_count"].to_list() == [0]


ORDER = GROUPS["order"]


def test_groups_stand_side_by_side_each_with_its_own_times_and_window(tmp_path: Path) -> None:
    """The label's moment is 60: the card's vector of 20 is in the window of 50, the user's of 5 is not."""
    write(tmp_path, [vector_at("c1", 20)])
    write(tmp_path, [vector_at("u1", 5)], "topic features.order", ORDER)
    labels = labels_of([("c1", 60), ("c1", 40)]).with_columns(user_id=pl.lit("u1"))
    wanted = [Wanted(GROUP, "card_id"), Wanted(ORDER, "user_id")]
    labels.write_parquet(tmp_path / "labels.parquet")
    made = tmp_path / "both.parquet"
    outcomes = training_set(tmp_path / "labels.parquet", tmp_path, made, wanted, WINDOW_MS, time_column="timestamp")
    both = pl.read_parquet(made)
    assert both["transaction__event_time"].dt.epoch("ms").to_list() == [START_MS + 20] * 2
    assert both["order__event_time"].dt.epoch("ms").to_list() == [None, START_MS + 5]
    assert [(outcome.good, dict(outcome.reasons)) for outcome in outcomes.values()] == [
        (2, {}),
        (1, {"the entity's newest vector is older than the window": 1}),
    ]
    for number, each in enumerate(wanted):
        source, out = (tmp_path / name for name in (("labels", "one"), ("one", "two"))[number])
        training_set(
            source.with_suffix(".parquet"),
            tmp_path,
            out.with_suffix(".parquet"),
            [each],
            WINDOW_MS,
            time_column="timestamp",
        )
    assert pl.read_parquet(tmp_path / "two.parquet").equals(both)
    assert not [name for name in both.columns if name.endswith("_right")]


def test_features_that_changed_places_since_keep_their_names(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 20) | {"txn_count": 7}], group=GROUP.with_features(GROUP.features[::-1]))
    rows = joined(tmp_path, labels_of([("c1", 40)]))
    assert rows["transaction__txn_count"].to_list() == [7]
    assert rows.columns[2:] == [f"transaction__{name}" for name in columns(GROUP) if name != "entity"]


def test_any_column_of_the_labels_is_carried_over(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 0)])
    labels = labels_of([("c1", 1)]).with_columns(
        feature_event_time=1, entity=2, __row=3, event_time=pl.lit(b"x"), offset=4, partition=5
    )
    rows = joined(tmp_path, labels)
    assert rows.select(labels.columns).equals(labels)
    assert rows["transaction__event_time"].dt.epoch("ms").to_list() == [START_MS]


def vector_at(entity: str, at: int) -> Vector:
    return {"entity": entity, "event_time": START_MS + at, "timestamp": START_MS + at, "partition": 0, "offset": 0}


def test_why_labels_have_no_vector_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 20)])
    labels = labels_of([("c1", 20), ("c1", 19), ("c1", 70), ("c2", 20), (None, 20)])
    labels.write_parquet(tmp_path / "labels.parquet")
    (outcome,) = training_set(
        tmp_path / "labels.parquet",
        tmp_path,
        tmp_path / "train.parquet",
        [Wanted(GROUP, "card_id")],
        WINDOW_MS,
        time_column="timestamp",
    ).values()
    assert (outcome.good, dict(outcome.reasons)) == (
        1,
        {
            "no vector of the entity was known by then": 1,
            "the entity's newest vector is older than the window": 1,
            "there is no vector of the entity": 1,
            "the label has no entity or no time": 1,
        },
    )
    assert outcome.examples["there is no vector of the entity"].startswith("entity 'c2' at 2026-03-02 12:00:00.020")


def test_labels_in_seconds_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 20)])
    labels = pl.DataFrame({"card_id": ["c1"], "timestamp": [START_MS // 1000]})
    with pytest.raises(UserError, match="It may be in seconds: multiply by 1000"):
        joined(tmp_path, labels)


def test_a_damaged_part_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 20)])
    (part,) = tmp_path.rglob("*.parquet")
    part.write_bytes(b"no Parquet")
    with pytest.raises(UserError, match="is no Parquet file, or a damaged one"):
        joined(tmp_path, labels_of([("c1", 20)]))


def test_a_training_set_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, [vector_at("c1", 20)])
    (tmp_path / "train.parquet").mkdir()
    with pytest.raises(UserError, match=r"train.parquet cannot be written \(Is a directory\). Choose another place"):
        joined(tmp_path, labels_of([("c1", 20)]))


def test_vectors_that_contain_what_came_late_are_not_joined_as_known_then(tmp_path: Path) -> None:
    write(tmp_path, logged([("c1", 0, 0, 0)]), "transactions, as known now")
    with pytest.raises(UserError, match="nobody knew them at their time"):
        joined(tmp_path, labels_of([("c1", 1)]))
    assert joined(tmp_path, labels_of([("c1", 1)]), as_known_now=True)["transaction__txn_count"].to_list() == [0]


def test_what_cannot_be_joined_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, logged([("c1", 0, 0, 0)]))
    labels = labels_of([("c1", 1)])
    with pytest.raises(UserError, match="no column user. Name it with --entity-column; there are: card_id, timestamp"):
        joined(tmp_path, labels, entity_column="user")
    with pytest.raises(UserError, match="a column transaction__txn_count already. Drop or rename it"):
        joined(tmp_path, labels.with_columns(transaction__txn_count=1))
    with pytest.raises(UserError, match="There is no file"):
        training_set(
            tmp_path / "none.parquet",
            tmp_path,
            tmp_path / "train.parquet",
            [Wanted(GROUP, "card_id")],
            WINDOW_MS,
            time_column="timestamp",
        )
