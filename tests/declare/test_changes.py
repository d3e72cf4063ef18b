"""What a change of a declaration does to states that are there."""

from typing import Any

from twinstream import Event, FeatureGroup, Id, Timestamp, count, distinct, feature, last
from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver


class Login(Event):
    login_id: Id
    at: Timestamp
    account_id: Id
    ip: str | None = None
    points: int = 0


def declared(**features: Any) -> Registry:
    fields: Any = Login
    options = {"topic": "logins", "entity": fields.account_id, "time": fields.at, "id": fields.login_id}
    made: Any = type("LoginFeatures", (FeatureGroup,), features, event=Login, **options)
    return Registry([made])


def after_change(before: Registry, after: Registry) -> tuple[dict[str, str], bool]:
    """An account's features when the second worker has other definitions, and whether that rebuilt the states."""
    shop = Driver(before)
    for number in range(4):
        shop.send("logins", sign_in(number))
    shop.run()
    epoch = epoch_of(shop)
    shop.registry = after
    shop.restart()
    shop.send("logins", sign_in(4))
    shop.run()
    found = shop.features("login", "a1")
    return {name: found[name] for name in after.named("login").names}, epoch_of(shop) != epoch


def sign_in(number: int) -> dict[str, Any]:
    return {"login_id": f"l{number}", "at": START_MS + number, "account_id": "a1", "ip": "::1", "points": number}


def epoch_of(shop: Driver) -> str:
    (partition,) = shop.database.partitions.values()
    return partition.epoch


def test_a_changed_condition_is_that_of_the_whole_window_at_once() -> None:
    before = declared(many=count(where=lambda login: login.points > 2))
    after = declared(many=count(where=lambda login: login.points > 1))
    assert after_change(before, after) == ({"many": "3"}, True)


def test_a_feature_over_what_is_kept_already_needs_no_rebuild() -> None:
    def twice(self: Any) -> int:
        """Twice the addresses."""
        return 2 * int(self.ips)

    before = declared(ips=distinct(Login.ip))
    after = declared(twice=feature()(twice), newest=last(Login.ip), ips=distinct(Login.ip))
    assert after_change(before, after) == ({"twice": "2", "newest": "::1", "ips": "1"}, False)


def test_a_feature_that_reads_another_field_has_the_whole_window_at_once() -> None:
    before = declared(logins=count())
    after = declared(logins=count(), ips=distinct(Login.ip))
    assert after_change(before, after) == ({"logins": "5", "ips": "1"}, True)
