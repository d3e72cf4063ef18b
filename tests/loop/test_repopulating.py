"""While a worker rebuilds what Redis has lost, it says so."""

from tests.loop.outputs import SETTINGS
from twinstream.testing import START_MS, Driver


def test_partitions_that_are_being_rebuilt_from_the_log_are_counted_until_redis_has_all_again() -> None:
    driver = Driver(**(SETTINGS | {"max_poll_records": 1}))
    for number in range(3):
        payment = {"transaction_id": f"t{number}", "card_id": "c", "amount": 1, "currency": "EUR"}
        driver.send("transactions", payment | {"event_time": START_MS + number})
    driver.run()
    assert driver.loop.repopulating == 0
    driver.database.clear()
    driver.restart()
    for _ in ("joins the group", "reads a record"):
        driver.loop.cycle()
    assert driver.loop.repopulating == 1
    driver.run()
    assert driver.loop.repopulating == 0
    assert driver.features("transaction", "c")["txn_count"] == "3"
