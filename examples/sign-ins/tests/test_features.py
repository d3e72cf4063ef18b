"""The features on the test driver: the real loop, on a log in this process and a clock that is moved by hand."""

from typing import Any

from twinstream.registry import Registry
from twinstream.testing import START_MS, Driver

from shop.features import LoginFeatures

MINUTE_MS = 60_000


def driver() -> Driver:
    return Driver(Registry([LoginFeatures]))


def sign_in(number: int, at_ms: int = 0, **fields: Any) -> dict[str, Any]:
    return {"login_id": f"l{number}", "at": START_MS + at_ms, "account_id": "a1"} | fields


def test_sign_ins_of_an_account_are_counted() -> None:
    shop = driver()
    for number, ip in enumerate(("192.0.2.1", "192.0.2.1", "198.51.100.7")):
        shop.send("logins", sign_in(number, number, ip=ip, success=number != 1))
    shop.run()
    features = shop.features("login", "a1")
    assert (features["login_count"], features["failed_count"], features["distinct_ips"]) == ("3", "1", "2")
    assert features["last_ip"] == "198.51.100.7"


def test_a_sign_in_that_is_exactly_the_window_old_is_out() -> None:
    shop = driver()
    shop.send("logins", sign_in(0, success=False))
    shop.now_ms += 5 * MINUTE_MS
    shop.send("logins", sign_in(1, 5 * MINUTE_MS))
    shop.run()
    first, second = shop.feature_records("login")
    assert (first.features["failure_rate"], second.features["failure_rate"]) == (1.0, 0.0)


def test_a_record_that_is_none_is_a_dead_letter_with_its_reason() -> None:
    shop = driver()
    shop.send("logins", b"{")
    shop.send("logins", {"login_id": "l1", "at": START_MS})
    shop.run()
    assert [letter.reason for letter in shop.dead_letters("logins")] == ["malformed", "schema"]
