"""A group that is declared: one file of the user's, and the engine runs it as any other group."""

from pathlib import Path
from typing import Any

from tests.declare.logins import MINUTE_MS, Login, LoginFeatures, declared, definition, sign_in, values
from tests.declare.sign_ins import SIGN_INS, write
from twinstream import (
    FeatureGroup,
    count,
    distinct,
    feature,
    last,
)
from twinstream.declare.group import definition_of
from twinstream.definitions import load_registry
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver


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


def test_a_condition_may_call_a_private_method_of_the_record() -> None:
    class Visit(Login):
        def _from_outside(self) -> bool:
            return not (self.ip or "").startswith("10.")

    shop = Driver(Registry([declared(Visit, outside=count(where=lambda visit: visit._from_outside()))]))
    shop.send("logins", sign_in(0, ip="10.0.0.1"))
    shop.send("logins", sign_in(1, ip="192.0.2.1"))
    shop.run()
    assert values(shop)["outside"] == "1"


def test_a_condition_may_use_the_name_of_its_argument_for_something_else() -> None:
    def is_local(login: Any) -> bool:
        login = login.ip
        return bool(login and login.startswith("10."))

    shop = Driver(Registry([declared(local=count(where=is_local))]))
    shop.send("logins", sign_in(0, ip="10.0.0.1"))
    shop.run()
    assert values(shop)["local"] == "1"
