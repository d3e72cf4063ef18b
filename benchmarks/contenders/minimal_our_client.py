"""The minimal loop once more, on this project's Kafka client and Redis pipe: count and sum per card, no recovery.

What it shows is how much of Twinstream's rate comes from the clients, and how much the features and exactness cost.
"""

from collections.abc import Sequence

import msgspec
import redis

from benchmarks.contenders.minimal import Payment
from benchmarks.contenders.stopwatch import Job, Stopwatch
from twinstream.log.contract import Committed, TopicPartition
from twinstream.log.kafka import KafkaLog
from twinstream.online.redis.pipelined import Command, PipelinedClient
from twinstream.settings import load_settings


def main() -> None:
    """Run the job."""
    job = Job.given()
    watch = Stopwatch(job)
    decode, encode = msgspec.json.Decoder(Payment).decode, msgspec.json.Encoder().encode

    def from_the_beginning(partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            log.seek(partition, 0)
        log.resume(partitions)

    settings = load_settings(kafka_servers=job.servers, consumer_group=job.run)
    log = KafkaLog(settings, [job.topic], from_the_beginning, lambda partitions: None)
    pipe = PipelinedClient(redis.Redis(port=job.redis_port), f"localhost:{job.redis_port}")
    totals: dict[str, tuple[int, float]] = {}
    seen = 0
    while not watch.done:
        polled = log.poll(200, job.batch)
        if not polled:
            continue
        changed = set()
        with log.transaction() as transaction:
            for partition, records in polled.items():
                for record in records:
                    assert record.value is not None
                    payment = decode(record.value)
                    count, total = totals.get(payment.card_id, (0, 0.0))
                    totals[payment.card_id] = count, total = count + 1, total + payment.amount
                    changed.add(payment.card_id)
                    value = encode({"card_id": payment.card_id, "count": count, "sum": total})
                    transaction.send(job.output, record.key, value, partition.partition)
                seen += len(records)
            transaction.commit_offsets({partition: Committed(log.position(partition)) for partition in polled})
            transaction.commit()
        commands: list[Command] = []
        for card_id in changed:
            count, total = totals[card_id]
            commands.append(("HSET", f"totals:{card_id}", "count", count, "sum", repr(total)))
        pipe.run(commands)
        watch.visible(seen)
    watch.report()
    log.close()


if __name__ == "__main__":
    main()
