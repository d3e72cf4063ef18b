"""A group that is declared: one file of the user's, and the engine runs it as any other group."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.declare.sign_ins import SIGN_INS, write
from twinstream import (
    Amount,
    CountryCode,
    Event,
    FeatureGroup,
    FourDigits,
    Id,
    IpAddress,
    Text,
    Timestamp,
    count,
    distinct,
    feature,
    first,
    last,
    mean,
    sum,
)
from twinstream.core.feature_group import FeatureGroup as Definition
from twinstream.core.rejection import Rejected
from twinstream.core.state import state_version
from twinstream.declare.group import definition_of
from twinstream.definitions import load_registry
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver

MINUTE_MS = 60_000


class Login(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: Text | None = None
    success: bool = True
    country: CountryCode | None = None


class LoginFeatures(
    FeatureGroup, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
):
    login_count = count()
    failed_count = count(where=lambda login: not login.success)
    distinct_ips = distinct(Login.ip)
    last_ip = last(Login.ip)

    @feature(unit="ratio")
    def failure_rate(self) -> float | None:
        """Share of the sign-ins that failed."""
        return self.failed_count / self.login_count if self.login_count else None


def definition(cls: type[FeatureGroup]) -> Definition:
    found = definition_of(cls)
    assert found is not None
    return found


def declared(event: type[Event] = Login, bases: tuple[type, ...] = (FeatureGroup,), **features: Any) -> Definition:
    """A group over sign-ins with these features."""
    fields: Any = event
    options = {"topic": "logins", "entity": fields.account_id, "time": fields.at, "id": fields.login_id}
    made: Any = type("MadeFeatures", bases, features, event=event, **options)
    return definition(made)


def sign_in(number: int, at_ms: int = 0, **fields: Any) -> dict[str, Any]:
    return {"login_id": f"l{number}", "at": START_MS + at_ms, "account_id": "a1"} | fields


def values(driver: Driver, group: str = "made") -> dict[str, str]:
    """The features of the account, without what stands beside them."""
    found = driver.features(group, "a1")
    return {name: found[name] for name in driver.registry.named(group).names}


def decoded(group: Definition, **fields: Any) -> Any:
    """What is kept of a record."""
    return group.decode(msgspec.json.encode(sign_in(1) | fields), 7)[1]


# --- from the file to the features ------------------------------------------------------------------------------------


def test_a_file_of_twenty_lines_is_all_that_a_group_needs(tmp_path: Path) -> None:
    code = [line for line in SIGN_INS.splitlines() if line and not line.strip().startswith('"""')]
    assert len(code) <= 20
    shop = Driver(load_registry(write(tmp_path, "sign_ins", SIGN_INS)))
    for number, ip in enumerate(("192.0.2.1", "192.0.2.1", "198.51.100.7")):
        shop.send("logins", sign_in(number, number, ip=ip, success=number != 1))
    shop.run()
    assert values(shop, "login") == {
        "login_count": "3",
        "failed_count": "1",
        "distinct_ips": "2",
        "last_ip": "198.51.100.7",
        "failure_rate": "0.3333333333333333",
    }


def test_a_sign_in_that_is_exactly_the_window_old_is_out() -> None:
    shop = Driver(Registry([LoginFeatures]))
    shop.send("logins", sign_in(0, success=False))
    shop.now_ms += 5 * MINUTE_MS
    shop.send("logins", sign_in(1, 5 * MINUTE_MS))
    shop.run()
    before, after = shop.feature_records("login")
    assert (before.features["failure_rate"], after.features["failure_rate"]) == (1.0, 0.0)


def test_a_record_that_is_none_is_a_dead_letter_with_its_reason() -> None:
    shop = Driver(Registry([LoginFeatures]))
    shop.send("logins", b"{")
    shop.send("logins", {"login_id": "l1", "at": START_MS})
    shop.run()
    assert [letter.reason for letter in shop.dead_letters("logins")] == ["malformed", "schema"]


def test_a_method_that_raises_makes_a_dead_letter_that_names_it() -> None:
    class Fragile(
        LoginFeatures, event=Login, topic="logins", entity=Login.account_id, time=Login.at, id=Login.login_id
    ):
        @feature()
        def inverse(self) -> float:
            """Raises when nothing failed."""
            return 1 / self.failed_count

    shop = Driver(Registry([Fragile]))
    shop.send("logins", sign_in(1))
    shop.send("logins", sign_in(2, success=False))
    shop.run()
    (letter,) = shop.dead_letters("logins")
    assert (letter.reason, letter.detail) == ("internal", "inverse raised ZeroDivisionError")
    assert shop.features("fragile", "a1")["login_count"] == "1"


def test_catalog_has_name_type_unit_and_meaning_of_each() -> None:
    rows = [
        (each.name, each.type, each.nullable, each.unit, each.meaning) for each in definition(LoginFeatures).features
    ]
    assert rows == [
        ("login_count", "int", False, "events", "Events in the window."),
        ("failed_count", "int", False, "events", "Events in the window where `not login.success`."),
        ("distinct_ips", "int", False, "values", "Different values of ip in the window."),
        ("last_ip", "text", True, "", "Newest ip in the window; null without any."),
        ("failure_rate", "float", True, "ratio", "Share of the sign-ins that failed."),
    ]


def test_a_group_is_named_as_its_class_unless_it_says_otherwise() -> None:
    assert definition(LoginFeatures).name == "login"

    class Named(
        FeatureGroup,
        event=Login,
        topic="logins",
        entity=Login.account_id,
        time=Login.at,
        id=Login.login_id,
        name="sign_in",
        version=3,
    ):
        login_count = count()

    group = definition(Named)
    assert (group.name, group.version) == ("sign_in", 3)


def test_a_group_that_is_written_by_hand_is_made_as_before() -> None:
    by_hand = load_registry("features").named("transaction")
    assert definition_of(by_hand) is by_hand
    again = FeatureGroup(
        name="again",
        version=1,
        topic="transactions",
        entity=by_hand.entity,
        time=by_hand.time,
        id=by_hand.id,
        wire_type=by_hand.wire_type,
        event_type=by_hand.event_type,
        decode=by_hand.decode,
        window=by_hand.window,
        families=by_hand.families,
    )
    assert (type(again), again.names) == (type(by_hand), by_hand.names)


# --- what is kept of a record -----------------------------------------------------------------------------------------


def kept_fields(group: Definition) -> dict[str, Any]:
    return {field.name.split("_")[0]: field.type for field in msgspec.structs.fields(group.event_type)}


def test_only_what_the_features_read_is_kept_and_of_a_condition_a_bit() -> None:
    fields = kept_fields(definition(LoginFeatures))
    assert fields == {"time": int, "offset": int, "id": str, "ip": str | None, "where": bool}


def test_time_and_id_are_kept_once_whoever_reads_them() -> None:
    group = declared(newest=last(Login.login_id), last_at=last(Login.at))
    assert kept_fields(group) == {"time": int, "offset": int, "id": str}


def test_two_features_over_the_same_share_their_accumulator() -> None:
    group = declared(
        failed=count(where=lambda login: not login.success),
        failed_again=count(where=lambda login: not login.success),
        first_ip=first(Login.ip),
        last_ip=last(Login.ip),
    )
    window: Any = group.window(5 * MINUTE_MS)
    assert len(window.accumulators) == 2
    assert len(kept_fields(group)) == 5


def test_moving_a_feature_or_adding_one_over_the_same_fields_leaves_the_states_as_they_are() -> None:
    versions = {
        state_version(declared(ips=distinct(Login.ip), failed=count(where=lambda login: not login.success)).event_type),
        state_version(declared(failed=count(where=lambda login: not login.success), ips=distinct(Login.ip)).event_type),
        state_version(
            declared(
                failed=count(where=lambda login: not login.success), ips=distinct(Login.ip), last_ip=last(Login.ip)
            ).event_type
        ),
    }
    assert len(versions) == 1


LIMIT = 3


def longer_than(limit: int) -> Any:
    return lambda login: login.ip is not None and len(login.ip) > limit


def is_long(login: Login) -> bool:
    """Whether the address is long."""
    return login.ip is not None and len(login.ip) > LIMIT


def test_another_condition_is_another_layout_of_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(where: Any) -> int:
        return state_version(declared(some=count(where=where)).event_type)

    assert version(lambda login: login.success) == version(lambda login: login.success)
    assert version(lambda login: login.success) != version(lambda login: not login.success)
    assert version(longer_than(3)) == version(longer_than(3)) != version(longer_than(4))
    before = version(is_long)
    monkeypatch.setitem(globals(), "LIMIT", 4)
    assert version(is_long) != before


def test_a_condition_sees_the_whole_record_as_it_was_checked() -> None:
    class Paid(Event):
        login_id: Id
        at: Timestamp
        account_id: Id
        price: Amount = 0

    def at_ms(paid: Paid) -> int:
        assert isinstance(paid.at, int)
        return paid.at % 1000

    group = declared(Paid, dear=count(where=lambda paid: paid.price > 100), ms=last(at_ms))
    for price, dear in (("100.01", True), (100, False), (100.5, True)):
        *_, ms, bit = msgspec.structs.astuple(decoded(group, price=price, at="2027-01-15T08:00:00.123Z"))
        assert (ms, bit) == (123, dear)


def test_money_is_kept_in_minor_units_by_a_function() -> None:
    class Paid(Event):
        login_id: Id
        at: Timestamp
        account_id: Id
        price: Amount

    def cents(paid: Paid) -> int:
        if not paid.price.is_finite() or paid.price < 0:
            raise Rejected("schema", "expected an amount from 0 - at `$.price`")
        return round(paid.price * 100)

    group = declared(Paid, spent=sum(cents), mean_spent=mean(cents))
    shop = Driver(Registry([group]))
    for number, price in enumerate(("0.1", 0.2, -1)):
        shop.send("logins", sign_in(number, price=price))
    shop.run()
    features = shop.features("made", "a1")
    assert (features["spent"], features["mean_spent"]) == ("30", "15.0")
    assert [(letter.reason, letter.detail) for letter in shop.dead_letters("logins")] == [
        ("schema", "expected an amount from 0 - at `$.price`")
    ]


def test_a_function_that_does_not_return_what_it_says_is_a_fault_of_the_definitions() -> None:
    def length(login: Login) -> int:
        return login.ip  # type: ignore[return-value]

    with pytest.raises(Rejected, match="internal: decode raised TypeError"):
        decoded(declared(longest=last(length)), ip="192.0.2.1")


@pytest.mark.parametrize("points", [2**64, "\ud800"], ids=["too large", "no text"])
def test_what_a_function_makes_that_no_store_can_hold_is_a_fault_of_the_definitions(points: Any) -> None:
    def pair(login: Login) -> tuple[Any, ...]:
        return (points, 1)

    def alone(login: Login) -> Any:
        return points

    pair.__annotations__["return"] = tuple[int | str, int]
    alone.__annotations__["return"] = int | str
    for function in (pair, alone):
        with pytest.raises(Rejected, match="internal: decode raised"):
            decoded(declared(_newest=last(function)))


def test_an_integer_that_no_store_can_hold_is_refused_before_it_stops_the_stream() -> None:
    class Long(Event):
        login_id: Id
        at: Timestamp
        account_id: Id
        points: int | None = None

    group = declared(Long, points=sum(Long.points))
    assert decoded(group, points=2**63 - 1).points == 2**63 - 1
    for points in (2**63, -(2**63) - 1):
        with pytest.raises(Rejected, match=r"schema: Expected `int` of at most 64 bits - at `\$.points`"):
            decoded(group, points=points)


# --- what is accepted -------------------------------------------------------------------------------------------------


class Place(Event):
    country: CountryCode | None = None


class Visit(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    seen: Timestamp | None = None
    price: Amount | None = None
    last4: FourDigits | None = None
    address: IpAddress | None = None
    place: Place | None = None


REFUSED = {
    "an id of spaces": ({"account_id": "  "}, "$.account_id"),
    "an id that no feature reads": ({"login_id": "a\n"}, "$.login_id"),
    "a time in seconds": ({"at": 1_772_452_800}, "$.at"),
    "another time in seconds": ({"seen": 1_772_452_800}, "$.seen"),
    "an amount in words": ({"price": "12 EUR"}, "$.price"),
    "digits that are none": ({"last4": "12a4"}, "$.last4"),
    "an address that is none": ({"address": "here"}, "$.address"),
    "a code inside another record": ({"place": {"country": "br"}}, "$.place.country"),
}


@pytest.mark.parametrize(("fields", "path"), REFUSED.values(), ids=REFUSED)
def test_every_field_is_checked_as_its_type_says(fields: dict[str, Any], path: str) -> None:
    group = declared(Visit, visits=count())
    assert decoded(group, price="1.5", last4="0042", address="::1", place={"country": "BR"}).id == "l1"
    with pytest.raises(Rejected, match="schema") as refusal:
        decoded(group, **fields)
    assert refusal.value.detail.endswith(f" - at `{path}`")


def test_null_is_accepted_where_the_type_has_it() -> None:
    group = declared(Visit, visits=count())
    assert decoded(group, seen=None, price=None, last4=None, address=None, place=None).offset == 7


# --- parts that groups share ------------------------------------------------------------------------------------------


class Attempts:
    """A part without a base."""

    login_count = count()
    _failed = count(where=lambda login: not login.success)

    @feature(unit="events")
    def passed_count(self) -> int:
        """Sign-ins that did not fail."""
        return self.login_count - self._failed


class Addresses(FeatureGroup):
    """A part that reads a field."""

    ips = distinct(Login.ip)


def test_groups_share_features_by_their_bases_in_the_order_of_these() -> None:
    group = declared(bases=(Attempts, Addresses), last_ip=last(Login.ip))
    assert group.names == ("login_count", "passed_count", "ips", "last_ip")


def test_a_part_is_no_group() -> None:
    assert definition_of(Addresses) is None


def test_an_aggregate_with_an_underscore_is_for_the_methods_only() -> None:
    shop = Driver(Registry([declared(bases=(Attempts, FeatureGroup))]))
    shop.send("logins", sign_in(1, success=False))
    shop.send("logins", sign_in(2))
    shop.run()
    assert values(shop) == {"login_count": "2", "passed_count": "1"}


def test_a_feature_of_a_base_can_be_defined_anew_and_keeps_its_place() -> None:
    group = declared(bases=(Attempts, FeatureGroup), last_ip=last(Login.ip), login_count=count(unit="sign-ins"))
    assert group.names == ("login_count", "passed_count", "last_ip")
    assert group.features[0].unit == "sign-ins"


def test_a_method_can_read_the_window_and_other_methods() -> None:
    class Reads(FeatureGroup):
        @feature(unit="s")
        def length(self) -> int:
            """Length of the window."""
            return self.window.size_ms // 1000

        @feature(unit="s")
        def twice(self) -> int:
            """Twice the length of the window."""
            return 2 * self.length

    shop = Driver(Registry([declared(bases=(Reads,))]))
    shop.send("logins", sign_in(1))
    shop.run()
    assert values(shop) == {"length": "300", "twice": "600"}
