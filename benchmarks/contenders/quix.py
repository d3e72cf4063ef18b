"""Quix Streams with keyed state: count and sum per card, exactly-once, its own Redis sink.

Runs in an environment of its own (`benchmarks/requirements.txt`). A job's `batch` is `commit_every`; with 0 Quix
commits once a second (its default is every five).
"""

from typing import Any

from quixstreams import Application, State
from quixstreams.checkpointing.checkpoint import Checkpoint
from quixstreams.sinks.community.redis import RedisSink

from benchmarks.contenders.stopwatch import Job, Stopwatch


def add(payment: dict[str, Any], state: State) -> dict[str, Any]:
    """The card's totals with this payment."""
    count, total = state.get("totals", (0, 0.0))
    count, total = count + 1, total + payment["amount"]
    state.set("totals", (count, total))
    return {"card_id": payment["card_id"], "count": count, "sum": total}


def main() -> None:
    """Run the job."""
    job = Job.given()
    watch = Stopwatch(job)
    seen = 0

    def processed(topic: str, partition: int, offset: int) -> None:
        nonlocal seen
        seen += 1
        if seen == job.total:
            application.stop()

    commit = Checkpoint.commit

    def timed_commit(checkpoint: Checkpoint, **arguments: Any) -> None:
        commit(checkpoint, **arguments)
        watch.visible(seen)

    Checkpoint.commit = timed_commit
    application = Application(
        job.servers,
        consumer_group=job.run,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=job.batch,
        commit_interval=1.0,
        state_dir=job.directory,
        on_message_processed=processed,
        loglevel="WARNING",
    )
    source = application.topic(job.topic, key_deserializer="str", value_deserializer="json")
    output = application.topic(job.output, key_serializer="str", value_serializer="json")
    totals = application.dataframe(source).apply(add, stateful=True)
    totals.to_topic(output)
    totals.sink(RedisSink("localhost", job.redis_port, 0))
    application.run()
    watch.report()


if __name__ == "__main__":
    main()
