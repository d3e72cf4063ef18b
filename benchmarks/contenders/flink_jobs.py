"""The PyFlink contenders, submitted with `flink run -py benchmarks/contenders/flink_jobs.py '{…}'`.

Each reads the topic `transactions` and writes one record per event to an exactly-once Kafka sink and the newest values
per card to Redis:

- `twinstream`: the job with all features, its stages timed;
- `record`: count and sum per card, one record per element, keyed by card: the idiomatic PyFlink job;
- `batch`: count and sum per card, with the micro-batches of the job.

The rivals' Redis writes are not fenced, and `record` even collects them in memory: to their advantage.
"""

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import redis
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from benchmarks.contenders.flink_plan import DONE, STAGES, Plan
from twinstream.job.keyed_group import KeyedGroup
from twinstream.job.keyed_partition import KeyedPartition
from twinstream.job.sources import SourceGroup, SourceTopic
from twinstream.job.stage import FeatureStage


class _Amount(msgspec.Struct):
    card_id: str
    amount: float


_decode = msgspec.json.Decoder(_Amount).decode
_encode = msgspec.json.Encoder().encode

WRITES_AT_ONCE = 500
FAIL_AT_ONCE = {"restart-strategy.type": "none"}


class CountAndSumByRecord(KeyedProcessFunction):  # type: ignore[misc]
    """Keyed by card: one event in, one record out."""

    def __init__(self, redis_port: int, topic: str) -> None:
        self._redis_port = redis_port
        self._topic = topic

    def open(self, runtime_context: RuntimeContext) -> None:
        state = Types.ROW_NAMED(["count", "sum"], [Types.LONG(), Types.DOUBLE()])
        self._state = runtime_context.get_state(ValueStateDescriptor("count and sum", state))
        self._pipe = redis.Redis(port=self._redis_port).pipeline(transaction=False)
        self._waiting = 0
        self._written = time.monotonic()

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        event = _decode(value[1])
        before = self._state.value() or Row(0, 0.0)
        count, total = before[0] + 1, before[1] + event.amount
        self._state.update(Row(count, total))
        self._pipe.hset(f"features:transaction:{event.card_id}", mapping={"txn_count": count, "amount_sum": total})
        self._waiting += 1
        if self._waiting >= WRITES_AT_ONCE or time.monotonic() - self._written > 0.1:
            self._pipe.incrby(DONE, self._waiting)
            self._pipe.execute()
            self._waiting, self._written = 0, time.monotonic()
        yield Row(self._topic, value[0], _encode({"card_id": event.card_id, "count": count, "sum": total}))


class CountAndSumByBatch(KeyedProcessFunction):  # type: ignore[misc]
    """Keyed by partition: a micro-batch in, a record per event out."""

    def __init__(self, redis_port: int, topic: str) -> None:
        self._redis_port = redis_port
        self._topic = topic

    def open(self, runtime_context: RuntimeContext) -> None:
        values = Types.PICKLED_BYTE_ARRAY()
        self._state = runtime_context.get_map_state(MapStateDescriptor("count and sum", Types.STRING(), values))
        self._redis = redis.Redis(port=self._redis_port)

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        changed: dict[str, tuple[int, float]] = {}
        results = []
        for key, content in zip(value[2], value[3], strict=True):
            event = _decode(content)
            card = event.card_id
            count, total = changed.get(card) or self._state.get(card) or (0, 0.0)
            count, total = changed[card] = count + 1, total + event.amount
            results.append([key, _encode({"card_id": card, "count": count, "sum": total})])
        pipe = self._redis.pipeline(transaction=False)
        for card, (count, total) in changed.items():
            self._state.put(card, (count, total))
            pipe.hset(f"features:transaction:{card}", mapping={"txn_count": count, "amount_sum": total})
        pipe.incrby(DONE, len(results))
        pipe.execute()
        yield Row(self._topic, results)


class TimedStage(FeatureStage):
    """The job's own stage, which also counts what it has done and how long each part took."""

    def open(self, runtime_context: RuntimeContext) -> None:
        super().open(runtime_context)
        self._spent: dict[str, float] = {}
        self._client = redis.Redis.from_url(self._settings.redis_connection_url)

    def process_element(self, value: Any, ctx: Any) -> Iterable[Row]:
        yield from super().process_element(value, ctx)
        pipe = self._client.pipeline(transaction=False)
        pipe.incrby(DONE, len(value[0]))
        for stage, seconds in self._spent.items():
            pipe.hincrbyfloat(STAGES, stage, seconds * 1e6)
        pipe.execute()
        self._spent.clear()

    def _open_partition(self, source: SourceTopic, number: int) -> KeyedPartition:
        partition = super()._open_partition(source, number)
        self._time(partition, "_stamp", "stamp, load, apply")
        return partition

    def _open_group(self, topic: str, number: int, reader: SourceGroup) -> KeyedGroup:
        group = super()._open_group(topic, number, reader)
        self._time(group, "_apply", "stamp, load, apply")
        self._time(group, "_keep", "keyed state")
        self._time(group, "_sweep", "sweep")
        self._time(group._stored, "_published", "send to Redis")
        self._time(group._stored, "settle", "settle")
        return group

    def _time(self, owner: Any, name: str, stage: str) -> None:
        setattr(owner, name, partial(self._timed, stage, getattr(owner, name)))

    def _timed(self, stage: str, call: Callable[..., Any], *arguments: Any) -> Any:
        began = time.thread_time()
        result = call(*arguments)
        self._spent[stage] = self._spent.get(stage, 0.0) + time.thread_time() - began
        return result


def start(plan: Plan) -> Any:
    """Start a contender."""
    from twinstream.definitions import load_registry
    from twinstream.job.command import readers
    from twinstream.job.dataflow import build_and_start
    from twinstream.job.options import JobOptions
    from twinstream.log.kafka import TopicAdmin
    from twinstream.log.topics import ensure_topics, feature_log_topic, output_topics
    from twinstream.settings import load_settings

    settings = load_settings(
        kafka_servers=plan.servers,
        redis_port=plan.redis_port,
        consumer_group=plan.run,
        output_prefix=f"{plan.run}.",
        checkpoint_interval_ms=plan.checkpoint_interval_ms,
    )
    registry = load_registry("features")
    ensure_topics(settings, registry)
    mode = "thread" if plan.mode == "thread" else "process"
    options = JobOptions(Path(plan.directory).as_uri(), mode, plan.parallelism)  # type: ignore[arg-type]
    topic = feature_log_topic("transaction", settings.output_prefix).name
    with TopicAdmin(settings) as admin:
        topic_id = admin.ids()["transactions"]
    groups = readers(registry, "transactions", topic_id, settings)
    sources = [SourceTopic("transactions", topic_id, 4, groups)]
    if plan.shape == "record":
        return _start_by_record(plan, settings, registry, options, topic)
    if plan.shape == "batch":
        stage = CountAndSumByBatch(plan.redis_port, topic)
    else:
        stage = TimedStage(settings, registry.source, tuple(sources))
    return build_and_start(
        settings, options, sources, output_topics(registry, settings.output_prefix), FAIL_AT_ONCE, stage, plan.shape
    )


def _start_by_record(plan: Plan, settings: Any, registry: Any, options: Any, topic: str) -> Any:
    """The idiomatic job: PyFlink's own `key_by` and `process`, between the same SQL source and sink."""
    from pyflink.table import Schema

    from twinstream.job import sql
    from twinstream.job.dataflow import environment
    from twinstream.job.options import consumer_properties, job_configuration, producer_properties
    from twinstream.job.stage import BYTES
    from twinstream.log.topics import output_topics

    configuration = job_configuration(settings, options) | FAIL_AT_ONCE
    for name in ("python.fn-execution.bundle.size", "python.fn-execution.bundle.time"):
        del configuration[name]  # Flink's own are made for records
    tables, _ = environment(configuration)
    tables.execute_sql(sql.source_table("transactions", consumer_properties(settings, "transactions")))
    source = sql.source_name("transactions")
    records = tables.to_data_stream(tables.sql_query(f"SELECT record_key, record_value FROM {source}"))
    result = Types.ROW_NAMED(["output_topic", "record_key", "record_value"], [Types.STRING(), BYTES, BYTES])
    results = records.key_by(lambda row: row[0].decode(), Types.STRING()).process(
        CountAndSumByRecord(plan.redis_port, topic), result
    )
    columns = Schema.new_builder().column("output_topic", "STRING")
    schema = columns.column("record_key", "BYTES").column("record_value", "BYTES").build()
    tables.create_temporary_view(sql.OUTPUT, tables.from_data_stream(results, schema))
    topics = [each.name for each in output_topics(registry, settings.output_prefix)]
    tables.execute_sql(sql.sink_table(topics, plan.run, producer_properties(settings)))
    insert = f"INSERT INTO {sql.SINK} SELECT record_key, record_value, output_topic FROM {sql.OUTPUT}"
    return tables.create_statement_set().add_insert_sql(insert).execute()


if __name__ == "__main__":
    from benchmarks.contenders import flink_jobs  # so that what is pickled belongs to a module

    flink_jobs.start(msgspec.json.decode(sys.argv[1], type=Plan))
