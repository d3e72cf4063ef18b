"""Where the real loop is hurt: a log in a real Kafka, runs over it that are killed and restarted, and what they leave.

run = lab.run()                         # a consumer group with outputs of its own
worker = run.start()                    # a worker process
worker.kill()
run.finish()                            # a worker that ends by itself, caught up
assert_same(run.outputs(), reference)
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as ClientPartition

from deploy.local import LocalKafka, LocalRedis, free_port
from producers.seeding.seeder import Seeded
from tests.loop.injected import NOTHING, Injection
from tests.loop.logs import mixed_messages
from tests.loop.outputs import OUTPUT_TOPICS, SETTINGS, Outputs, assert_same, line_of, replayed
from tests.loop.workers import Worker, forked
from tests.reference import BY_TOPIC
from tests.topics import create, create_anew
from tests.waiting import wait_until
from twinstream.log.kafka import Record, TopicAdmin, read_topic
from twinstream.log.topics import Topic, source_topic

ROOT = Path(__file__).resolve().parent.parent.parent
PARTITIONS = 2


class Lab:
    """A broker with the source topics, and a Redis: nobody else writes there, and a test may kill them.

    Attributes:
        broker, redis_server: who kills one starts it again.
        directory: for their data, logs and locks.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.broker = LocalKafka(directory / "kafka", free_port())
        self.redis_server = LocalRedis(directory / "redis", free_port())
        self._reference: Outputs | None = None
        self._runs = 0

    def __enter__(self) -> Self:
        self.redis_server.start()
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.kill()
        self.redis_server.kill()

    def create_sources(self) -> None:
        """Empty source topics, also where there were some before."""
        self.create_sources_of(PARTITIONS)

    def create_sources_of(self, partitions: int) -> None:
        """The same with so many partitions."""
        self._reference = None
        create_anew(self.broker.servers, [source_topic(topic, partitions) for topic in BY_TOPIC])

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
            futures = [
                producer.send(topic, message.value, None if message.key is None else message.key.encode())
                for topic, message, _ in messages
            ]
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
            numbers = {topic: sorted(consumer.partitions_for_topic(topic) or ()) for topic in BY_TOPIC}
            partitions = [ClientPartition(topic, number) for topic in BY_TOPIC for number in numbers[topic]]
            ends = consumer.end_offsets(partitions)
            return {f"{each.topic}:{each.partition}": end for each, end in ends.items() if end}
        finally:
            consumer.close()

    @contextmanager
    def run(self, **settings: Any) -> Iterator["Run"]:
        """A run over the source topics, on an empty Redis; nothing is left of it afterwards."""
        self._runs += 1
        run = Run(self, f"run{self._runs}", settings)
        try:
            yield run
        finally:
            run.close()


class Run:
    """A consumer group with its state and outputs; its workers come and go.

    Attributes:
        group: its name, also before the names of its outputs.
        output_topics: their names.
        redis: a client of the database it writes to.
    """

    def __init__(self, lab: Lab, group: str, settings: dict[str, Any]) -> None:
        self.lab = lab
        self.group = group
        self.redis: redis.Redis = lab.redis_server.client()
        self.redis.flushall()
        self._settings = SETTINGS | settings
        self._workers: list[Worker] = []
        self.output_topics = [f"{group}.{name}" for name in OUTPUT_TOPICS]
        create(lab.broker.servers, [Topic(name, PARTITIONS) for name in self.output_topics])

    def start(self, *arguments: str, inject: Injection = NOTHING, **settings: Any) -> "Worker":
        """Start a worker; further settings are its own."""
        environment, log = self._surroundings(settings)
        process = forked(inject, list(arguments), environment, log)
        return self._started(Worker(process, log, int(environment["METRICS_PORT"])))

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

    def until_in_redis(self, seconds: float = 120, explain: Callable[[], str] = lambda: "") -> None:
        """The same of a job."""
        ends = self.lab.ends()
        wait_until(lambda: self.progress() == ends, "everything is in Redis", seconds, explain)

    def until_under_way(self, seconds: float = 90) -> None:
        """Wait until more has come into Redis than there is now."""
        before = sum(self.progress().values())
        wait_until(lambda: sum(self.progress().values()) > before, "the run moves on", seconds)

    def progress(self) -> dict[str, int]:
        """How far Redis is with every group, by `topic:partition`; empty while it is away."""
        progress: dict[str, int] = {}
        for place, offset in self.progress_of_groups().items():
            _, name = place.split(":", 1)
            progress[name] = min(offset, progress.get(name, offset))
        return progress

    def progress_of_groups(self) -> dict[str, int]:
        """The same of each group, by `group:topic:partition`."""
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
            outputs[name] = sorted(map(line_of, records), key=lambda line: line[0])
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
            admin.delete(self.output_topics)
