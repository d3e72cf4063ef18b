"""A worker that stops in the middle of a transaction, for a test to kill: prints `pending` and waits."""

import sys
import time
from pathlib import Path

from twinstream.log.kafka import Committed, KafkaLog, TopicPartition
from twinstream.settings import load_settings


def main(servers: str, group: str, source: str, output: str, slots: str) -> None:
    def on_assigned(partitions: object) -> None:
        log.seek(TopicPartition(source, 0), 0)

    settings = load_settings(kafka_servers=servers, consumer_group=group)
    log = KafkaLog(settings, [source], on_assigned, lambda _: None, Path(slots))
    while not log.assignment():
        log.poll(100, 10)
    with log.transaction() as transaction:
        transaction.send(output, b"key", b"never committed", 0)
        transaction.commit_offsets({TopicPartition(source, 0): Committed(1)})
        transaction.flush()
        print("pending", flush=True)
        time.sleep(300)


if __name__ == "__main__":
    main(*sys.argv[1:])
