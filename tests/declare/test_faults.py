"""What raises while a declared group computes: a dead letter, and the state is as if the record had never come."""

import gc
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from twinstream import Event, FeatureGroup, Id, Timestamp, aggregate, by, count, distinct, feature, last
from twinstream.check import check_without_events
from twinstream.core.state import EntityState, WindowConfig
from twinstream.declare.functions import mark, shown
from twinstream.declare.group import definition_of
from twinstream.declare.kept import DeclaredWindow
from twinstream.errors import UserError
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver


class Login(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: str | None = None
    points: int = 0


class Fussy:
    """Raises on thirteen, after it has taken it in."""

    value: int

    def __init__(self) -> None:
        self.value = 0

    def add(self, points: int) -> None:
        self.value += points
        if points == 13:
            raise ValueError("thirteen")

    def remove(self, points: int) -> None:
        self.value -= points


class Greedy:
    """The largest, which an empty window does not have."""

    def __init__(self) -> None:
        self.points: list[int] = []

    @property
    def value(self) -> int:
        return max(self.points)

    def add(self, points: int) -> None:
        self.points.append(points)

    def remove(self, points: int) -> None:
        self.points.remove(points)


def declared(**features: Any) -> type[FeatureGroup]:
    fields: Any = Login
    options = {"topic": "logins", "entity": fields.account_id, "time": fields.at, "id": fields.login_id}
    made: Any = type("LoginFeatures", (FeatureGroup,), features, event=Login, **options)
    found: type[FeatureGroup] = made
    return found


def doubled(login: Any) -> int:
    """Twice the points."""
    return 2 * (login.points or 0)


def driver(*logins: dict[str, Any], **features: Any) -> Driver:
    """The sign-ins of an account, computed."""
    shop = Driver(Registry([declared(**features)]))
    for number, login in enumerate(logins):
        shop.send("logins", {"login_id": f"l{number}", "at": START_MS + number, "account_id": "a1"} | login)
    shop.run()
    return shop


def test_an_aggregate_that_raises_has_seen_nothing_of_the_record() -> None:
    shop = driver({"points": 5}, {"points": 13}, {"points": 7}, total=aggregate(Fussy, Login.points), logins=count())
    (letter,) = shop.dead_letters("logins")
    assert (letter.offset, letter.reason, letter.detail) == (1, "internal", "an aggregate raised ValueError")
    features = shop.features("login", "a1")
    assert (features["total"], features["logins"]) == ("12", "2")


def test_a_condition_that_raises_is_a_fault_of_the_definitions() -> None:
    shop = driver({}, {"ip": "::1"}, local=count(where=lambda login: login.ip.startswith(":")))
    (letter,) = shop.dead_letters("logins")
    assert (letter.offset, letter.reason, letter.detail) == (0, "internal", "decode raised AttributeError")
    assert shop.features("login", "a1")["local"] == "1"


def test_an_answer_that_an_empty_window_does_not_have_is_found_before_a_reader_meets_it() -> None:
    group = definition_of(declared(largest=aggregate(Greedy, Login.points)))
    assert group is not None
    with pytest.raises(UserError, match="^largest raised ValueError"):
        check_without_events(group, 300_000)


def test_a_state_that_is_forgotten_is_free_at_once() -> None:
    """Workers look for cycles rarely, since the states have none."""
    group = definition_of(declared(points=last(Login.points), _ips=by(Login.ip, count()), doubled=feature()(doubled)))
    assert group is not None

    def windows() -> int:
        return sum(type(each) is DeclaredWindow for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = windows()
        state = EntityState(group, WindowConfig(300_000))
        record = {"login_id": "l1", "at": START_MS, "account_id": "a1", "ip": "::1"}
        state.insert(group.decode(msgspec.json.encode(record), 0)[1], START_MS - 1)
        assert windows() > before
        del state
        assert windows() == before
    finally:
        gc.enable()


def test_a_condition_is_shown_as_it_is_written() -> None:
    where = [lambda login: login.points > 3 and (login.ip or not login.points), lambda login: login.ip == "a|b"]
    assert [shown(each) for each in where] == [
        "`login.points > 3 and (login.ip or not login.points)`",
        "`login.ip == 'a|b'`",
    ]


def test_a_condition_whose_file_is_gone_is_a_lambda(tmp_path: Path) -> None:
    defined: dict[str, Any] = {}
    exec(compile("where = lambda login: login.points", str(tmp_path / "gone.py"), "exec"), defined)
    assert shown(defined["where"]) == "`lambda`"


def test_the_mark_of_a_condition_is_the_same_in_every_process() -> None:
    """Sets have another order in every process."""
    assert mark(lambda login: login.ip in {"a", "b", "c", "d"}) == "458cc5dd"


def test_a_field_named_as_what_every_event_has_is_kept_beside_it() -> None:
    class Odd(Event):
        id: Id
        at: Timestamp
        account_id: Id
        offset: int
        time_ms: int

    fields: Any = Odd
    options = {"topic": "odd", "entity": fields.account_id, "time": fields.at, "id": fields.id}
    features = {"offset_": last(Odd.offset), "times": distinct(Odd.time_ms), "newest": last(Odd.id)}
    made: Any = type("OddFeatures", (FeatureGroup,), features, event=Odd, **options)
    shop = Driver(Registry([made]))
    shop.send("odd", {"id": "o1", "at": START_MS, "account_id": "a1", "offset": 77, "time_ms": 5})
    shop.run()
    found = shop.features("odd", "a1")
    assert (found["offset_"], found["times"], found["newest"]) == ("77", "1", "o1")


def test_an_integer_inside_a_tuple_that_no_store_holds_is_refused_and_the_stream_goes_on() -> None:
    class Trip(Event):
        trip_id: Id
        at: Timestamp
        account_id: Id
        stops: tuple[int, ...] = ()

    fields: Any = Trip
    options = {"topic": "trips", "entity": fields.account_id, "time": fields.at, "id": fields.trip_id}
    made: Any = type("TripFeatures", (FeatureGroup,), {"routes": distinct(Trip.stops)}, event=Trip, **options)
    shop = Driver(Registry([made]))
    for number, stops in enumerate(([1, 2], [1, 2**63], [1, 2**70], [3])):
        record = {"trip_id": f"t{number}", "at": START_MS + number, "account_id": "a1", "stops": stops}
        shop.send("trips", json.dumps(record).encode(), key="a1")
    shop.run()
    letters = [(letter.offset, letter.reason, letter.detail) for letter in shop.dead_letters("trips")]
    assert letters == [(offset, "schema", "Expected `int` of at most 64 bits - at `$.stops`") for offset in (1, 2)]
    assert shop.features("trip", "a1")["routes"] == "2"
