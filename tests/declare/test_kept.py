"""What is kept in state of a record that a declared group reads, and which records it accepts."""

from typing import Any

import msgspec
import pytest

from tests.declare.logins import MINUTE_MS, Login, LoginFeatures, declared, decoded, definition, sign_in
from twinstream import (
    Amount,
    CountryCode,
    Event,
    FourDigits,
    Id,
    IpAddress,
    Timestamp,
    count,
    distinct,
    first,
    last,
    mean,
    sum,
)
from twinstream.core.feature_group import FeatureGroup as Definition
from twinstream.core.rejection import Rejected
from twinstream.core.state import state_version
from twinstream.registry import Registry
from twinstream.testing import Driver


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


def test_a_record_that_is_one_of_several_inside_has_the_checks_of_its_own_kind() -> None:
    class ByCard(Event, tag="card"):
        last_four: FourDigits

    class ByBank(Event, tag="bank"):
        country: CountryCode

    class Paid(Event):
        login_id: Id
        at: Timestamp
        account_id: Id
        how: ByCard | ByBank | None = None

    group = declared(Paid, count=count())
    for how in (None, {"type": "card", "last_four": "1234"}, {"type": "bank", "country": "NO"}):
        assert decoded(group, how=how).id == "l1"
    with pytest.raises(Rejected, match=r"schema: .*`\$.how.country`"):
        decoded(group, how={"type": "bank", "country": "Norway"})
