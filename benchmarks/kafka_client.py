"""The Kafka client, measured: `python -m benchmarks.kafka_client`.

Starts a broker of its own and answers what a record costs to read, and to read and write in a transaction, with
`twinstream.log.kafka` and with kafka-python as it comes; and how long a transaction takes.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata
from rich.console import Console
from rich.table import Table

from deploy.local import LocalKafka, free_port
from twinstream.log.kafka import Committed, KafkaLog, TopicAdmin
from twinstream.settings import load_settings

RECORDS = 60_000
PARTITIONS = 4
BATCH = 1_000
VALUE = b"x" * 450
TRANSACTIONS = 200


def main() -> None:
    """Measure the client."""
    console = Console(width=120, highlight=False)
    with tempfile.TemporaryDirectory() as directory:
        broker = LocalKafka(Path(directory) / "broker", free_port())
        broker.start()
        try:
            with TopicAdmin(broker.servers) as admin:
                for name in ("source", "output"):
                    admin.create(name, PARTITIONS)
            fill(broker.servers)
            console.print(costs(broker.servers, Path(directory)))
            console.print(latencies(broker.servers, Path(directory)))
        finally:
            broker.kill()


def fill(servers: str) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, batch_size=1 << 20, linger_ms=5)
    for number in range(RECORDS):
        producer.send("source", VALUE, b"card%08d" % (number % 1_000), partition=number % PARTITIONS)
    producer.flush()
    producer.close()


def costs(servers: str, slots: Path) -> Table:
    """CPU microseconds per record, all threads together."""
    table = Table(title="CPU per record")
    for heading in ("", "read", "read and write"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, run in (("kafka-python as it comes", plain), ("twinstream.log.kafka", ours)):
        spent = [run(servers, slots, write) * 1e6 / RECORDS for write in (False, True)]
        table.add_row(name, *(f"{each:.1f} µs" for each in spent))
    return table


def ours(servers: str, slots: Path, write: bool) -> float:
    with worker(servers, slots) as log:
        for partition in log.assignment():
            log.seek(partition, 0)

        def turn() -> int:
            polled = log.poll(1_000, BATCH)
            if write and polled:
                with log.transaction() as transaction:
                    for partition, records in polled.items():
                        for record in records:
                            transaction.send("output", record.key, record.value or b"", partition.partition)
                    transaction.commit_offsets({partition: Committed(log.position(partition)) for partition in polled})
            return sum(map(len, polled.values()))

        return cpu_seconds(turn)


def plain(servers: str, _slots: Path, write: bool) -> float:
    group = secrets.token_hex(4)
    consumer = KafkaConsumer(
        "source",
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    producer = KafkaProducer(bootstrap_servers=servers, transactional_id=group, retry_backoff_ms=5, batch_size=1 << 20)
    producer.init_transactions()
    while not consumer.assignment():
        consumer.poll(1_000, 1)
    consumer.seek_to_beginning()

    def turn() -> int:
        polled = consumer.poll(1_000, BATCH)
        if write and polled:
            producer.begin_transaction()
            for partition, records in polled.items():
                for record in records:
                    producer.send("output", record.value, record.key, partition=partition.partition)
            offsets = {partition: OffsetAndMetadata(consumer.position(partition), "", -1) for partition in polled}
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
        return sum(map(len, polled.values()))

    try:
        return cpu_seconds(turn)
    finally:
        consumer.close()
        producer.close()


def cpu_seconds(turn: Callable[[], int]) -> float:
    """What the process spends until `turn` has returned all records of the source."""
    started, seen = time.process_time(), 0
    while seen < RECORDS:
        seen += turn()
    return time.process_time() - started


def latencies(servers: str, slots: Path) -> Table:
    """How long the caller waits for a transaction, once its records are encoded."""
    table = Table(title="Wait for a transaction")
    for heading in ("records", "p50", "p90", "p99"):
        table.add_column(heading, justify="right")
    for count in (20, BATCH):
        with worker(servers, slots) as log:
            taken = [transaction_seconds(log, count) * 1e3 for _ in range(TRANSACTIONS)]
        cuts = quantiles(taken, n=100)
        table.add_row(str(count), *(f"{cuts[percent - 1]:.1f} ms" for percent in (50, 90, 99)))
    return table


def transaction_seconds(log: KafkaLog, count: int) -> float:
    with log.transaction() as transaction:
        for number in range(count):
            transaction.send("output", b"key", VALUE, number % PARTITIONS)
        started = time.perf_counter()
        transaction.commit_offsets({partition: Committed(0) for partition in log.assignment()})
        transaction.commit()
    return time.perf_counter() - started


@contextmanager
def worker(servers: str, slots: Path) -> Iterator[KafkaLog]:
    """The only member of a new group."""
    settings = load_settings(kafka_servers=servers, consumer_group=secrets.token_hex(4))
    log = KafkaLog(settings, ["source"], lambda _: None, lambda _: None, slots)
    try:
        while not log.assignment():
            log.poll(100, 1)
        yield log
    finally:
        log.close()


if __name__ == "__main__":
    main()
