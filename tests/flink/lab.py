"""Where the real loop is hurt: a log in a real Kafka, runs over it that are killed and restarted, and what they leave.

run = lab.run()                         # a consumer group with outputs of its own
worker = run.start()                    # a worker process
worker.kill()
run.finish()                            # a worker that ends by itself, caught up
assert_same(run.outputs(), reference)
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import msgspec
import psutil
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as ClientPartition
from kafka.errors import KafkaError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.local import LocalKafka, LocalRedis, free_port
from features.groups import BY_TOPIC
from flink.testing import Driver
from producers.seeding.plan import Span
from producers.seeding.seeder import SHARES, Seeded, SeedPlan, seed_messages
from runtime.kafka import LogError, Record, TopicAdmin, read_topic
from runtime.topics import Topic, dead_letter_topic, ensure_topics, feature_log_topic, source_topic
from tests.flink.injected import NOTHING, Injection, work

ROOT = Path(__file__).resolve().parent.parent.parent
PARTITIONS = 2
SPAN_MS = 600_000
"""Event time that a log covers: more than twice the time after which an idle entity is swept (80 s)."""

SETTINGS: dict[str, Any] = {
    "window_size_minutes": 1,
    "allowed_lateness_seconds": 10,
    "max_record_bytes": 16_384,
    "max_poll_records": 100,
}
"""Of every run unless it says otherwise: short windows, and some thirty batches for a log."""

FEATURE_LOGS = [feature_log_topic(group.name).name for group in BY_TOPIC.values()]
DEAD_LETTERS = [dead_letter_topic(topic).name for topic in BY_TOPIC]
OUTPUT_TOPICS = FEATURE_LOGS + DEAD_LETTERS

Outputs = dict[str, Any]
"""Feature logs and dead letters (partition, key, value; in order), and every `features:*` hash, by topic and key."""


# --- logs ----------------------------------------------------------------------------------------------------------


def mixed_messages(count: int = 3_000, seed: int = 7, end_ms: int | None = None) -> list[Seeded]:
    """Seeded events of all topics that end now, with disorder and every kind of bad record, and one hot card.

    The hot card has a sixth of the transactions, so that its state is of several chunks that come and go.
    """
    end_ms = end_ms or time.time_ns() // 1_000_000
    plan = SeedPlan(
        seed=seed,
        count=count,
        spans={topic: Span(end_ms - SPAN_MS, end_ms) for topic in SHARES},
        ends_now=True,
        max_record_bytes=SETTINGS["max_record_bytes"],
        lateness_ms=SETTINGS["allowed_lateness_seconds"] * 1_000,
    )
    messages = []
    for number, seeded in enumerate(seed_messages(plan)):
        if seeded.bad is not None and seeded.bad.kind == "ten_megabytes":
            continue
        messages.append(seeded)
        if number % 5 == 0 and seeded.bad is None and seeded.topic == "transactions":
            messages.append(_of_the_hot_card(seeded))
    return messages


def _of_the_hot_card(seeded: Seeded) -> Seeded:
    record = msgspec.json.decode(seeded.message.value or b"")
    record |= {"card_id": "card_hot", "transaction_id": record["transaction_id"] + "_hot"}
    return seeded._replace(message=seeded.message._replace(key="card_hot", value=msgspec.json.encode(record)))


# --- outputs -------------------------------------------------------------------------------------------------------


def assert_same(actual: Outputs, expected: Outputs) -> None:
    """The same bytes everywhere; tells the first difference in one line, because the whole would fill a book."""
    assert actual.keys() == expected.keys(), (
        f"missing: {sorted(expected.keys() - actual.keys())[:5]}, "
        f"unexpected: {sorted(actual.keys() - expected.keys())[:5]}"
    )
    for name, wanted in expected.items():
        got = actual[name]
        if got == wanted:
            continue
        if isinstance(wanted, dict):
            fields = {field for field in wanted.keys() | got.keys() if got.get(field) != wanted.get(field)}
            raise AssertionError(f"{name}: " + ", ".join(f"{f!r} {got.get(f)!r} not {wanted.get(f)!r}" for f in fields))
        at = next((at for at, pair in enumerate(zip(got, wanted, strict=False)) if pair[0] != pair[1]), None)
        where = f"differ at {at}: {got[at]} not {wanted[at]}" if at is not None else "one is the other's beginning"
        raise AssertionError(f"{name}: {len(got)} records, expected {len(wanted)}; {where}")


def replayed(sources: dict[str, list[Record]], **settings: Any) -> Outputs:
    """What one uninterrupted pass makes of a log, in this process: the test driver on the log's own records."""
    partitions = 1 + max(record.partition for records in sources.values() for record in records)
    driver = Driver(partitions=partitions, **(SETTINGS | settings))
    for topic, records in sources.items():
        for record in records:
            driver.now_ms = record.timestamp
            sent = driver.broker.append(topic, record.partition, record.key, record.value)
            assert sent.offset == record.offset
    driver.run()
    logs = {name: [_line(record) for record in driver.broker.records(name)] for name in OUTPUT_TOPICS}
    return logs | {key: kept for key, kept in driver.outputs().items() if key.startswith("features:")}


def _line(record: Record) -> tuple[int, bytes | None, bytes | None]:
    return record.partition, record.key, record.value


# --- runs ----------------------------------------------------------------------------------------------------------


class Lab:
    """A broker with the source topics, and a Redis.

    Args:
        broker, redis_server: running; who kills one starts it again.
        directory: for logs and locks.
    """

    def __init__(self, broker: LocalKafka, redis_server: LocalRedis, directory: Path) -> None:
        self.broker = broker
        self.redis_server = redis_server
        self.directory = directory
        self._reference: Outputs | None = None
        self._runs = 0
        self._name = f"lab{time.time_ns()}"

    def create_sources(self) -> None:
        """Empty source topics, also where there were some before."""
        self._reference = None
        with TopicAdmin(self.broker.servers) as admin:
            admin.delete(BY_TOPIC)
            gone = time.monotonic() + 20
            while set(BY_TOPIC) & set(admin.partitions()):
                assert time.monotonic() < gone, "the topics were not deleted"
                time.sleep(0.05)
        self.create(source_topic(topic, PARTITIONS) for topic in BY_TOPIC)

    def create(self, topics: Iterable[Topic]) -> None:
        """Create topics. A broker on a machine that is too busy counts as away for a moment, and refuses."""
        attempts = retry(
            retry=retry_if_exception_type((LogError, KafkaError)),
            stop=stop_after_delay(60),
            wait=wait_fixed(0.5),
            reraise=True,
        )
        attempts(ensure_topics)(self.broker.servers, topics=list(topics))

    def reference(self) -> Outputs:
        """What an uninterrupted run of the real command makes of the mixed log, which is in the source topics then."""
        if self._reference is None:
            self.create_sources()
            self.send(mixed_messages())
            with self.run() as run:
                worker = run.start_command("--until-caught-up")
                assert worker.wait() == 0, worker.said()
                outputs = run.outputs()
            assert_same(outputs, self.replayed())
            self._reference = outputs
        return self._reference

    def send(self, messages: Iterable[Seeded]) -> None:
        """Append messages to the source topics."""
        producer = KafkaProducer(bootstrap_servers=self.broker.servers, linger_ms=5, acks="all")
        try:
            futures = [producer.send(topic, message.value, message.key.encode()) for topic, message, _ in messages]
            producer.flush()
            for future in futures:
                future.get(10)
        finally:
            producer.close()

    def sources(self) -> dict[str, list[Record]]:
        """Everything in the source topics."""
        return {topic: list(read_topic(self.broker.servers, topic)) for topic in BY_TOPIC}

    def replayed(self, **settings: Any) -> Outputs:
        """What one uninterrupted pass makes of the source topics as they are, without Kafka and Redis."""
        return replayed(self.sources(), **settings)

    def ends(self) -> dict[str, int]:
        """The offset after the last record of each partition that has one, as `topic:partition`."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.servers)
        try:
            partitions = [ClientPartition(topic, number) for topic in BY_TOPIC for number in range(PARTITIONS)]
            ends = consumer.end_offsets(partitions)
            return {f"{each.topic}:{each.partition}": end for each, end in ends.items() if end}
        finally:
            consumer.close()

    @contextmanager
    def run(self, **settings: Any) -> Iterator["Run"]:
        """A run over the source topics, on an empty Redis; nothing is left of it afterwards."""
        self._runs += 1
        run = Run(self, f"{self._name}-{self._runs}", settings)
        try:
            yield run
        finally:
            run.close()


class Run:
    """A consumer group with its state and outputs; its workers come and go.

    Attributes:
        group: its name, also before the names of its outputs.
        redis: a client of the database it writes to.
    """

    def __init__(self, lab: Lab, group: str, settings: dict[str, Any]) -> None:
        self.lab = lab
        self.group = group
        self.redis: redis.Redis = lab.redis_server.client()
        self.redis.flushall()
        self._settings = SETTINGS | settings
        self._workers: list[Worker] = []
        self._topics = [f"{group}.{name}" for name in OUTPUT_TOPICS]
        lab.create(Topic(name, PARTITIONS) for name in self._topics)

    def start(self, *arguments: str, inject: Injection = NOTHING, **settings: Any) -> "Worker":
        """Start a worker; further settings are its own."""
        environment, log = self._surroundings(settings)
        process = _forks.Process(target=work, args=(inject, list(arguments), environment, log), daemon=True)
        process.start()
        return self._started(Worker(Forked(process), log, int(environment["METRICS_PORT"])))

    def start_command(self, *arguments: str, **settings: Any) -> "Worker":
        """The same by the command that users type, which takes a second longer."""
        environment, log = self._surroundings(settings)
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "flink/stream_processor.py", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=sink,
                stderr=sink,
            )
        return self._started(Worker(process, log, int(environment["METRICS_PORT"])))

    def _surroundings(self, settings: dict[str, Any]) -> tuple[dict[str, str], Path]:
        """The environment of a worker and the file for what it writes."""
        address = {
            "kafka_servers": self.lab.broker.servers,
            "redis_host": "127.0.0.1",
            "redis_port": self.lab.redis_server.port,
            "consumer_group": self.group,
            "output_prefix": f"{self.group}.",
            "metrics_port": free_port(),
            "tmpdir": self.lab.directory,
            "no_color": 1,
        }
        given = address | self._settings | settings
        environment = os.environ | {name.upper(): str(value) for name, value in given.items()}
        return environment, self.lab.directory / f"{self.group}-{len(self._workers)}.log"

    def _started(self, worker: "Worker") -> "Worker":
        self._workers.append(worker)
        return worker

    def finish(self, *arguments: str, **settings: Any) -> str:
        """Run a worker until it has caught up; returns what it wrote."""
        worker = self.start("--until-caught-up", *arguments, **settings)
        assert worker.wait() == 0, worker.said()
        return worker.said()

    def until_caught_up(self, seconds: float = 120) -> None:
        """Wait until everything in the source topics is in Redis."""
        ends = self.lab.ends()
        deadline = time.monotonic() + seconds
        while self.progress() != ends:
            assert any(worker.alive for worker in self._workers), self._workers[-1].said()
            assert time.monotonic() < deadline, f"at {self.progress()}, not {ends}: {self._workers[-1].said()}"
            time.sleep(0.05)

    def until_under_way(self, seconds: float = 90) -> None:
        """Wait until more has come into Redis than there is now."""
        before = sum(self.progress().values())
        wait_until(lambda: sum(self.progress().values()) > before, "the run moves on", seconds)

    def progress(self) -> dict[str, int]:
        """How far Redis is, by `topic:partition`; empty while it is away."""
        prefix = f"progress:{self.group}:"
        try:
            keys = [key.decode() for key in self.redis.scan_iter(f"{prefix}*")]
            offsets = {key.removeprefix(prefix): self.redis.hget(key, "offset") for key in keys}
        except redis.RedisError:
            return {}
        return {place: int(offset) for place, offset in offsets.items() if offset}

    def outputs(self) -> Outputs:
        """What the run has made so far."""
        outputs: Outputs = {}
        for name in OUTPUT_TOPICS:
            records = read_topic(self.lab.broker.servers, f"{self.group}.{name}")
            outputs[name] = sorted(map(_line, records), key=lambda line: line[0])
        for key in self.redis.scan_iter("features:*"):
            outputs[key.decode()] = self.redis.hgetall(key)
        return outputs

    def close(self) -> None:
        """End what is left of it, and start what a failed test left lying."""
        for worker in self._workers:
            worker.kill()
        self.lab.redis_server.start()
        self.lab.broker.start()
        self.redis.flushall()
        self.redis.close()
        with TopicAdmin(self.lab.broker.servers) as admin:
            admin.delete(self._topics)


_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.flink.injected"])


class Forked:
    """A forked process, with the part of `subprocess.Popen` that `Worker` needs."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end; returns the exit code."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("worker", seconds or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Worker:
    """A worker process."""

    def __init__(self, process: "Forked | subprocess.Popen[bytes]", log: Path, port: int) -> None:
        self._process = process
        self._log = log
        self.port = port

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def said(self) -> str:
        """What it wrote so far."""
        return self._log.read_text(errors="replace")

    def plain_lines(self) -> list[str]:
        """What it wrote for people: everything but the log, which is JSON."""
        return [line for line in self.said().splitlines() if line and not line.startswith("{")]

    def wait(self, seconds: float = 120) -> int:
        """Wait for its end; returns the exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s: {self.said()}") from None

    def kill(self) -> None:
        """End it as a crash would."""
        if self.alive:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        """Ask it to end; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def until_killed(self) -> None:
        """Wait until it has killed itself, as it was told to."""
        assert self.wait() == -signal.SIGKILL, self.said()

    def until_stopped(self, seconds: float = 90) -> None:
        """Wait until it has stopped itself (SIGSTOP), as it was told to."""
        process = psutil.Process(self._process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the worker stops", seconds)

    def go_on(self) -> None:
        """Wake it up (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Put it to sleep (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def readiness(self) -> int:
        """The status of /readyz; 0 when nobody answers."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except (URLError, OSError):
            return 0

    def until_ready(self, status: int = 200, seconds: float = 90) -> None:
        """Wait until /readyz answers so."""
        wait_until(lambda: self.readiness() == status, f"/readyz says {status}", seconds, self.said)


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = 90, explain: Callable[[], str] = lambda: ""
) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s until {what}. {explain()}"
        time.sleep(0.02)
