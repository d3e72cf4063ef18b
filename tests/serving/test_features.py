"""What is answered of entities: a status, exact features, and what they were made from."""

from collections.abc import Callable

import msgspec
import pytest

from tests.features.events import MIDDAY_MS, WINDOW_MS
from tests.online.worker import TRANSACTION, WINDOW, Worker, first
from tests.oracle.plays import raising_feature
from tests.reference import GROUPS, REGISTRY
from tests.serving.calls import call
from tests.serving.conftest import EPOCH
from twinstream.online.contract import Partition
from twinstream.online.memory import MemoryDatabase, MemoryStore
from twinstream.online.reader import Reader
from twinstream.serving.http import Application

Make = Callable[..., Application]


def many(application: Application, **body: object) -> dict[str, list[dict[str, object]]]:
    answered = call(application, "POST", "/v1/features", body)
    assert answered.status == 200, answered.body
    return answered.data["answers"]  # type: ignore[no-any-return]


@pytest.mark.usefixtures("cards")
def test_an_answer_has_features_and_what_they_were_made_from(api: Make) -> None:
    at_ms = MIDDAY_MS + 1_000

    answered = call(api(), "GET", "/v1/features/transaction/card_1", query=f"at={at_ms}")

    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    features = answered.data.pop("features")
    assert list(features) == list(GROUPS["transaction"].names)
    assert features["txn_count"] == 1
    assert answered.data | {"features": None} == {
        "entity": "card_1",
        "status": "present",
        "features": None,
        "event_time": MIDDAY_MS,
        "age_ms": 1_000,
        "made_from": {
            "group": "transaction",
            "version": GROUPS["transaction"].version,
            "epoch": EPOCH,
            "topic": "transactions",
            "partition": 0,
            "offset": 7,
            "at": at_ms,
        },
        "detail": None,
    }


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("after_ms", [-1, 0, 1, WINDOW_MS - 1, WINDOW_MS, 10 * WINDOW_MS])
def test_the_features_are_the_bytes_that_get_would_show(api: Make, database: MemoryDatabase, after_ms: int) -> None:
    at_ms = MIDDAY_MS + after_ms
    reading = Reader(MemoryStore(database, "twinstream"), REGISTRY, WINDOW).read("transaction", "card_1", at_ms)
    assert reading is not None

    answered = call(api(), "GET", "/v1/features/transaction/card_1", query=f"at={at_ms}")

    assert b'"features":' + msgspec.json.encode(reading.vector) + b"," in answered.body


@pytest.mark.usefixtures("cards")
def test_many_entities_of_several_groups_are_answered_in_the_order_of_the_call(api: Make) -> None:
    entities = {"order": ["user_1"], "transaction": ["card_2", "nobody", "card_1", "card_2"], "clickstream": []}

    answers = many(api(), entities=entities, at=MIDDAY_MS)

    assert list(answers) == list(entities)
    assert {group: [each["entity"] for each in found] for group, found in answers.items()} == entities
    assert [each["status"] for each in answers["transaction"]] == ["present", "absent", "present", "present"]
    assert [each["status"] for each in answers["order"]] == ["absent"]


@pytest.mark.usefixtures("cards")
def test_a_call_reads_the_store_once(api: Make, database: MemoryDatabase) -> None:
    calls: list[str] = []
    database.before_call = calls.append

    many(api(), entities={"transaction": ["card_1", "card_2", "nobody"], "order": ["user_1"]})

    assert calls == ["states"]


@pytest.mark.usefixtures("cards")
def test_the_moment_may_be_written_with_a_zone(api: Make) -> None:
    answered = call(
        api(), "POST", "/v1/features", {"entities": {"transaction": ["card_1"]}, "at": "2026-03-02T13:00:00+01:00"}
    )

    assert answered.data["at"] == MIDDAY_MS
    assert answered.data["answers"]["transaction"][0]["features"]["txn_count"] == 1


@pytest.mark.usefixtures("cards")
def test_the_moment_is_now_unless_told(api: Make) -> None:
    answered = call(api(), "POST", "/v1/features", {"entities": {"transaction": ["card_1"]}})

    (answer,) = answered.data["answers"]["transaction"]
    assert answered.data["at"] > MIDDAY_MS + WINDOW_MS
    assert answer["status"] == "present", "an idle entity is not absent"
    assert answer["features"]["txn_count"] == 0
    assert answer["age_ms"] == answered.data["at"] - MIDDAY_MS


@pytest.mark.usefixtures("cards")
def test_only_the_features_named_are_answered_in_that_order(api: Make) -> None:
    names = ["risk_score", "txn_count"]

    answers = many(api(), entities={"transaction": ["card_1", "nobody"]}, features={"transaction": names}, at=MIDDAY_MS)
    one = call(api(), "GET", "/v1/features/transaction/card_1", query=f"at={MIDDAY_MS}&features=risk_score,txn_count")

    known, unknown = answers["transaction"]
    assert list(known["features"]) == names  # type: ignore[call-overload]
    assert unknown["features"] is None
    assert one.data == known


def test_an_entity_that_was_never_seen_is_absent(api: Make) -> None:
    (answer,) = many(api(), entities={"transaction": ["nobody"]})["transaction"]

    assert answer == {
        "entity": "nobody",
        "status": "absent",
        "features": None,
        "event_time": None,
        "age_ms": None,
        "made_from": None,
        "detail": "nobody was never seen, or too long ago.",
    }


@pytest.mark.usefixtures("full_card")
def test_a_window_of_which_events_were_taken_out_is_truncated_as_long_as_they_would_be_in_it(api: Make) -> None:
    application = api()

    def at(at_ms: int) -> tuple[object, object]:
        (answer,) = many(application, entities={"transaction": ["full"]}, at=at_ms)["transaction"]
        return answer["status"], answer["features"]["txn_count"]  # type: ignore[index]

    assert at(MIDDAY_MS) == ("truncated", 2)
    assert at(MIDDAY_MS + WINDOW_MS - 1) == ("truncated", 2)
    assert at(MIDDAY_MS + WINDOW_MS) == ("present", 0)


@pytest.mark.usefixtures("cards")
def test_a_moment_whose_events_are_forgotten_is_too_old_and_the_earliest_one_is_told(api: Make) -> None:
    (answer,) = many(api(), entities={"transaction": ["card_1"]}, at="2026-03-02T11:00:00Z")["transaction"]

    assert (answer["status"], answer["features"]) == ("too_old", None)
    assert "The earliest moment is 2026-03-02T11:59:30.000Z." in str(answer["detail"])


@pytest.mark.usefixtures("cards")
def test_features_that_outlived_their_state_are_being_rebuilt(api: Make, database: MemoryDatabase) -> None:
    del database.partitions["twinstream", Partition("transactions", 0, "transaction")].entities["card_1"]

    one, other = many(api(), entities={"transaction": ["card_1", "card_2"]})["transaction"]

    assert (one["status"], one["features"], one["made_from"]) == ("rebuilding", None, None)
    assert other["status"] == "present"


def test_a_state_of_other_definitions_is_being_rebuilt(api: Make, worker: Worker) -> None:
    written = first("card_1")
    worker.write(written._replace(delta=msgspec.structs.replace(written.delta, head=b"\x95\x63\x00\x00\xc0\xff")))

    (answer,) = many(api(), entities={"transaction": ["card_1"]})["transaction"]

    assert (answer["status"], answer["features"]) == ("rebuilding", None)
    assert "state version 99" in str(answer["detail"])


@pytest.mark.usefixtures("cards")
def test_a_feature_that_raises_fails_its_entity_and_no_other(api: Make) -> None:
    with raising_feature(TRANSACTION):
        answers = many(api(), entities={"transaction": ["card_1", "nobody"]})["transaction"]

    assert [each["status"] for each in answers] == ["failed", "absent"]
    assert "always_wrong raised ValueError" in str(answers[0]["detail"])


@pytest.mark.parametrize("entity", ["a:b", "a/b/c", "ü?&=%", "<script>alert(1)</script>", " "])
def test_an_entity_may_be_named_as_it_likes(api: Make, worker: Worker, entity: str) -> None:
    worker.write(first(entity))

    (many_answer,) = many(api(), entities={"transaction": [entity]}, at=MIDDAY_MS)["transaction"]
    one = call(api(), "GET", f"/v1/features/transaction/{entity}", query=f"at={MIDDAY_MS}")

    assert many_answer["status"] == "present"
    assert one.data == many_answer
