"""`twinstream get`, as it is typed."""

import json
import subprocess
import sys

import pytest
import redis

from deploy.local import LocalRedis, free_port
from tests.features.events import MIDDAY_MS, WINDOW_MS
from tests.online.worker import Worker, first
from tests.reference import GROUPS
from twinstream.online.redis.store import RedisStore


def get(server_port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type the command."""
    return subprocess.run(
        [sys.executable, "-m", "store", "get", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={"REDIS_PORT": str(server_port), "CONSUMER_GROUP": "tests", "COLUMNS": "120", "PATH": "/usr/bin:/bin"},
    )


@pytest.fixture
def card(redis_client: redis.Redis) -> None:
    """A card with one event at midday."""
    Worker(RedisStore(redis_client, "tests", "there")).write(first("card_1", 7))


@pytest.mark.usefixtures("card")
def test_a_table_of_every_feature_with_its_unit(redis_server: LocalRedis) -> None:
    shown = get(redis_server.port, "transaction", "card_1", "--at", "2026-03-02T13:00:30+01:00")

    assert shown.returncode == 0, shown.stderr
    for feature in GROUPS["transaction"].features:
        assert feature.name in shown.stdout
    assert "transaction card_1 at 2026-03-02T12:00:30.000Z" in shown.stdout
    assert "newest event 2026-03-02T12:00:00.000Z" in shown.stdout
    assert "transactions-0 offset 7" in shown.stdout
    (count,) = (line.split() for line in shown.stdout.splitlines() if "txn_count" in line)
    assert count == ["txn_count", "1", "events"]


@pytest.mark.usefixtures("card")
def test_json_for_programs(redis_server: LocalRedis) -> None:
    shown = get(redis_server.port, "transaction", "card_1", "--at", str(MIDDAY_MS + WINDOW_MS), "--json")

    data = json.loads(shown.stdout)
    assert list(data["features"]) == [feature.name for feature in GROUPS["transaction"].features]
    assert (data["features"]["txn_count"], data["features"]["amount_mean"]) == (0, None)
    assert (data["event_time"], data["at"], data["offset"]) == (MIDDAY_MS, MIDDAY_MS + WINDOW_MS, 7)


@pytest.mark.usefixtures("card")
def test_now_is_the_moment_unless_told(redis_server: LocalRedis) -> None:
    data = json.loads(get(redis_server.port, "transaction", "card_1", "--json").stdout)

    assert data["at"] > MIDDAY_MS
    assert data["features"]["txn_count"] == 0


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("transaction", "card_2"), 1, "card_2 has no transaction features"),
        (("transaction", "[/red]x"), 1, "[/red]x has no transaction features"),
        (("transaction", "\x1b[2J\n"), 1, r"\x1b[2J\n has no transaction features"),
        (("[bold]b", "card_1"), 2, "error: There is no group '[bold]b'."),
        (("transactions", "card_1"), 2, "error: There is no group 'transactions'. Choose from transaction, order"),
        (
            ("transaction", "card_1", "--at", "noon"),
            2,
            "error: 'noon' is no time from 2000 to 9999. Give one like 2026-03-01T12:00:00Z",
        ),
        (("transaction", "card_1", "--at", "2026-03-02T12:00:00"), 2, "is no time"),
        (
            ("transaction", "card_1", "--at", "2001-01-01T00:00:00Z"),
            2,
            "The earliest moment is 2026-03-02T11:59:30.000Z.",
        ),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    redis_server: LocalRedis, arguments: tuple[str, ...], code: int, line: str
) -> None:
    shown = get(redis_server.port, *arguments)

    assert shown.returncode == code
    assert line in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert shown.stdout == ""


def test_a_redis_that_is_away_is_one_line() -> None:
    port = free_port()

    shown = get(port, "transaction", "card_1")

    assert shown.returncode == 2
    assert shown.stderr.startswith(f"error: Redis does not answer at redis://localhost:{port}/0")
    assert shown.stderr.count("\n") == 1


def test_help_has_examples() -> None:
    assert "twinstream get transaction card_" in get(0, "--help").stdout
