"""Real services for the tests, on free ports and in temporary directories."""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

try:
    import redis

    from deploy.local import LocalKafka, LocalRedis, free_port
    from deploy.local.head_start import has_archive
    from tests import properties
    from tests.reference import REGISTRY
    from tests.topics import create_anew
    from twinstream.local.ports import keep_to_part
    from twinstream.log.topics import Topic, all_topics, create_topics
except ModuleNotFoundError as missing:
    remedy = "Run: make requirements && source .venv/bin/activate"
    sys.exit(f"error: {missing.name} is not installed for {sys.executable}, which runs the tests. {remedy}")

QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Of every Java: a run of a few seconds takes half the processor time if it is not compiled for a long life."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let Java and Python start quickly, and property tests try other examples in every run.

    All processes of a run try the same ones.
    """
    os.environ.setdefault("JDK_JAVA_OPTIONS", QUICK_START)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    keep_to_part(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), processes)  # or two would pick one port
    keep_what_is_compiled()
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


def keep_what_is_compiled() -> None:
    """Let Pythons write `__pycache__` also where the environment says not to, as images of containers do.

    Tests start hundreds of them, and each would compile every package that it imports: seconds for some.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before files run side by side a broker starts and ends, once: the brokers of all runs have a head start then."""
    side_by_side = getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput")
    if side_by_side and not has_archive():
        with tempfile.TemporaryDirectory() as directory:
            broker = LocalKafka(Path(directory), free_port())
            broker.start()
            broker.stop()


SLOWEST_FIRST = (
    "job/test_parity.py",
    "deploy/test_odd_folder.py",
    "job/test_golden_on_flink.py",
    "tests/loop/",
    "job/test_additive.py",
    "job/test_more_partitions.py",
    "tests/wheel/",
    "tests/job/",
    "test_kafka_failures.py",
    "test_s3.py",
)
"""So that nobody has to wait for a long file that was begun last. The rest follows as it is found."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""

    def place(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(SLOWEST_FIRST) if name in item.path.as_posix()), len(SLOWEST_FIRST))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how the property tests can be repeated."""
    seed = config.option.hypothesis_seed
    terminalreporter.write_line(f"Property tests: {properties.PROFILE} profile, --hypothesis-seed={seed}")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """One broker for the tests of a process that make topics of names of their own. Who kills it starts it again."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), free_port())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRedis]:
    """One Redis for the tests of a process. Who kills it starts it again."""
    server = LocalRedis(tmp_path_factory.mktemp("redis"), free_port())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_client(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    """A client of an empty Redis (bytes in, bytes out)."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes a name that no other test has: for topics, consumer groups, prefixes."""
    return lambda stem: f"{stem}-{secrets.token_hex(4)}"


@pytest.fixture
def new_topic(kafka_broker: LocalKafka, unique: Callable[[str], str]) -> Callable[..., str]:
    """Creates a topic of a new name: `new_topic(partitions=1, **configs)`."""

    def create(stem: str = "topic", partitions: int = 4, **configs: str) -> str:
        topic = Topic(unique(stem), partitions, {name.replace("_", "."): value for name, value in configs.items()})
        create_topics(kafka_broker.servers, [topic])
        return topic.name

    return create


@pytest.fixture
def fresh_topics(kafka_broker: LocalKafka) -> LocalKafka:
    """The broker with all of the project's topics, empty.

    Only who needs the names that the groups fix takes them. Everybody else makes topics of new names, and who needs
    the fixed names for longer than one test has a broker of its own (`tests.loop.lab.Lab`).
    """
    create_anew(kafka_broker.servers, all_topics(REGISTRY))
    return kafka_broker
