"""`make demo`: from nothing to features in Redis, once, with a look at what came out.

Starts Kafka and Redis, seeds events, runs the loop until it has caught up. Without Docker and Java there is no broker
to start: then the same loop runs on a log in this process, and only Redis is real. With `--in-process` neither is, and
nothing has to be started or installed beside Python.
"""

import sys
import time
from contextlib import closing
from zlib import crc32

from rich.padding import Padding
from rich.table import Table

from deploy.local.__main__ import up
from deploy.local.compose import docker_answers
from deploy.local.paths import KAFKA, RUN_DIRECTORY
from deploy.local.redis import LocalRedis
from deploy.local.services import Ports
from producers.commands.seed import seed
from producers.seeding.plan import Span
from producers.seeding.seeder import SHARES, SeedPlan, seed_messages
from twinstream.core.feature_group import FeatureGroup
from twinstream.core.rejection import REASONS
from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.local.jars import MissingTool
from twinstream.log.memory import MemoryBroker, MemoryLog
from twinstream.log.topics import PARTITIONS
from twinstream.logging import configure_logging
from twinstream.loop.loop import Loop
from twinstream.loop.worker import kafka_loop, run
from twinstream.online.contract import OnlineReader, OnlineStore
from twinstream.online.memory import MemoryDatabase, MemoryStore
from twinstream.online.redis.connection import connect, connect_reader
from twinstream.online.redis.keys import features_key
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.terminal import Terminal, plain, print_error, styled

COUNT = 10_000
SEED = 42
SPAN_MS = 45 * 60_000
ROWS = 4
SHOWN = {
    "transaction": ("txn_count", "amount_sum", "max_speed_kmh", "risk_score", "risk_reasons"),
    "order": ("txn_count", "amount_sum", "amount_mean", "distinct_countries"),
    "clickstream": ("events", "product_views", "cart_adds", "engagement_score", "cart_abandoned"),
}
"""The features that the demo shows of the reference groups: too many columns say nothing."""

SHOWN_OF_OTHERS = 4
"""How many it shows of any other group: the first ones."""


def demo(console: Terminal, in_process: bool = False) -> bool:
    """Run the demo; return whether features of every group were really written.

    Args:
        console: where it is told.
        in_process: log and store are in this process, and nothing is started.

    Raises:
        UserError: something that the user has to mend first.
    """
    settings = load_settings().model_copy(update={"metrics_port": 0})
    registry = load_registry(settings.features)
    if not any(registry.reads(topic) for topic in SHARES):
        raise UserError(
            f"The demo sends {', '.join(SHARES)}, and no group of {registry.source} reads one of them. Unset FEATURES."
        )
    if in_process:
        store = MemoryStore(MemoryDatabase(), settings.namespace)
        return _run_and_show(console, settings, _memory_loop(settings, registry, store), store)
    missing = _missing_broker()
    if missing is None:
        up()
        with closing(connect(settings)) as claimed:
            claimed.check_writer(registry.names)
        seed(settings, count=COUNT, seed=SEED)
        loop = kafka_loop(settings, registry)
    else:
        console.print(styled(("No broker here, so this demo runs on a log in this process.", "yellow"), f" {missing}"))
        LocalRedis(RUN_DIRECTORY / "redis", Ports.of(settings).redis).start()
        loop = _memory_loop(settings, registry, connect(settings))
    with closing(connect_reader(settings)) as reader:
        written = _run_and_show(console, settings, loop, reader)
    console.print(f"\nLook around: redis-cli -p {Ports.of(settings).redis} KEYS 'features:*'")
    return written


def _run_and_show(console: Terminal, settings: Settings, loop: Loop, store: OnlineReader) -> bool:
    run(loop, settings, until_caught_up=True, console=console)
    return _show(console, store, loop)


def _missing_broker() -> MissingTool | None:
    """What has to be installed before a real broker can run here, if anything."""
    if docker_answers():
        return None
    try:
        KAFKA.require_tools()
    except MissingTool as missing:
        return missing
    return None


def _memory_loop(settings: Settings, registry: Registry, store: OnlineStore) -> Loop:
    """The loop on a log in this process, seeded with the same events."""
    broker = MemoryBroker(registry.topics, PARTITIONS)
    now_ms = time.time_ns() // 1_000_000
    plan = SeedPlan(SEED, COUNT, dict.fromkeys(SHARES, Span(now_ms - SPAN_MS, now_ms)), ends_now=True)
    for topic, message, _ in seed_messages(plan):
        if not registry.reads(topic):
            continue
        key = (message.key or "").encode()
        broker.append(topic, crc32(key) % PARTITIONS, key, message.value)
    return Loop(
        lambda on_assigned, on_revoked: MemoryLog(broker, list(registry.topics), on_assigned, on_revoked),
        store,
        settings,
        registry,
    )


def _show(console: Terminal, store: OnlineReader, loop: Loop) -> bool:
    """Print some features of each group and the dead letters by reason."""
    written = True
    for group in loop.registry:
        rows = list(store.all_features(group.name))
        written = written and bool(rows)
        columns = SHOWN.get(group.name, group.names[:SHOWN_OF_OTHERS])
        console.print("", _features_table(group, columns, rows), sep="\n")
    letters = loop.totals.dead_letters
    counts = {reason: sum(letters[topic, reason] for topic in loop.registry.topics) for reason in REASONS}
    told = ", ".join(f"{reason} {count}" for reason, count in counts.items() if count)
    console.print("", styled((f"{letters.total()} dead letters", "bold")), told, sep="\n")
    return written


def _features_table(group: FeatureGroup, columns: tuple[str, ...], rows: list[tuple[str, dict[str, str]]]) -> Table:
    """The most telling entities of a group: those with the largest values from the right."""
    types = {feature.name: feature.type for feature in group.features}
    by = [name for name in reversed(columns) if types[name] in ("int", "float")]
    rows.sort(key=lambda row: ([-float(row[1][name].replace("null", "-1")) for name in by], row[0]))
    title = styled((f"{len(rows):,} keys", "bold"), f" {features_key(group.name, '*')}")
    table = Table(title=title, title_justify="left", title_style="", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    for entity, fields in rows[:ROWS]:
        table.add_row(plain(features_key(group.name, entity)))
        shown = "  ".join(f"{name}={for_a_person(fields[name], types[name])}" for name in columns)
        table.add_row(Padding(plain(shown), (0, 0, 0, 4)))
    return table


def for_a_person(value: str, type_name: str) -> str:
    """A feature's value in Redis as a person reads it: digits in groups, at most two after the point."""
    if value == "null":
        return "none"
    if type_name == "float":
        return f"{float(value):,.2f}".rstrip("0").rstrip(".")
    if type_name == "int":
        return f"{int(value):,}"
    return value.replace(",", ", ")


def main(in_process: bool = False) -> int:
    """Run the demo; 0 if features of every group were written, 1 if not, 2 if it could not run."""
    configure_logging("WARNING")
    console = Terminal()
    try:
        return 0 if demo(console, in_process) else 1
    except UserError as error:
        print_error(error)
        return 2


if __name__ == "__main__":
    sys.exit(main(in_process="--in-process" in sys.argv[1:]))
