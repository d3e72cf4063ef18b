"""Sign-ins, a group over them, and groups with other features over the same."""

from typing import Any

import msgspec

from twinstream import (
    CountryCode,
    Event,
    FeatureGroup,
    Id,
    Text,
    Timestamp,
    count,
    distinct,
    feature,
    last,
)
from twinstream.core.feature_group import FeatureGroup as Definition
from twinstream.declare.group import definition_of
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
