"""What is said about a topic before anything is sent to it."""

import pytest
from structlog.testing import capture_logs

from producers import position
from producers.position import first_free_ms


@pytest.fixture(autouse=True)
def empty_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position, "newest_event_ms", lambda *_: None)


@pytest.mark.parametrize(
    ("topic", "records_of"), [("transactions", "orders"), ("orders", "transactions"), ("clickstream", "orders")]
)
def test_records_that_the_engine_would_refuse_in_a_topic_are_warned_of(topic: str, records_of: str) -> None:
    with capture_logs() as logs:
        first_free_ms("localhost:1", topic, records_of, 0)
    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert "set these aside" in entry["event"]
    assert (entry["topic"], entry["these_go_to"]) == (topic, records_of)


@pytest.mark.parametrize("topic", ["orders", "my_orders"])
def test_their_own_topic_and_one_of_any_other_name_are_not_warned_of(topic: str) -> None:
    with capture_logs() as logs:
        first_free_ms("localhost:1", topic, "orders", 0)
    assert logs == []
