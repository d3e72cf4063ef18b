"""What a competent engineer writes by hand: kafka-python, redis-py, count and sum per card.

Transactional output with the offsets, tuned as ours is (`retry_backoff_ms`, batch sizes), but totals are kept in memory
only: after a crash or a rebalance they are wrong.
"""

import msgspec
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata

from benchmarks.contenders.stopwatch import Job, Stopwatch


class Payment(msgspec.Struct, gc=False):
    """The two fields that count and sum need."""

    card_id: str
    amount: float


def main() -> None:
    """Run the job."""
    job = Job.given()
    watch = Stopwatch(job)
    decode, encode = msgspec.json.Decoder(Payment).decode, msgspec.json.Encoder().encode
    consumer = KafkaConsumer(
        job.topic,
        bootstrap_servers=job.servers,
        group_id=job.run,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=job.batch,
    )
    producer = KafkaProducer(
        bootstrap_servers=job.servers,
        transactional_id=job.run,
        acks="all",
        retry_backoff_ms=5,
        batch_size=256 * 1024,
        linger_ms=5,
    )
    producer.init_transactions()
    online = redis.Redis(port=job.redis_port)
    totals: dict[str, tuple[int, float]] = {}
    seen = 0
    while not watch.done:
        polled = consumer.poll(timeout_ms=200)
        if not polled:
            continue
        changed = set()
        producer.begin_transaction()
        for partition, records in polled.items():
            for record in records:
                payment = decode(record.value)
                count, total = totals.get(payment.card_id, (0, 0.0))
                totals[payment.card_id] = count, total = count + 1, total + payment.amount
                changed.add(payment.card_id)
                value = encode({"card_id": payment.card_id, "count": count, "sum": total})
                producer.send(job.output, value, key=record.key, partition=partition.partition)
            seen += len(records)
        offsets = {partition: OffsetAndMetadata(consumer.position(partition), "", -1) for partition in polled}
        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
        producer.commit_transaction()
        with online.pipeline(transaction=False) as pipeline:
            for card_id in changed:
                count, total = totals[card_id]
                pipeline.hset(f"totals:{card_id}", mapping={"count": count, "sum": total})
            pipeline.execute()
        watch.visible(seen)
    watch.report()
    producer.close()
    consumer.close()


if __name__ == "__main__":
    main()
