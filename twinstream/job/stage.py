"""The one keyed stage of the job, as Flink calls it: a micro-batch of one partition in, output rows out.

What happens to the batch is in `keyed_partition`; here is what only Flink needs.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from twinstream.core.stamping import StampingLimits
from twinstream.core.state import WindowConfig
from twinstream.definitions import load_registry
from twinstream.interpreter import tune_interpreter
from twinstream.job.keyed_group import Computation, KeyedGroup
from twinstream.job.keyed_partition import KeyedPartition, forget_others
from twinstream.job.keyed_state import KeyedMap
from twinstream.job.lag import LogEnds, asking
from twinstream.job.loaded import check_loaded, note_loaded
from twinstream.job.metrics import StageMetrics
from twinstream.job.sources import PartitionKey, SourceGroup, SourceTopic
from twinstream.job.stored_partition import StoredPartition
from twinstream.log.contract import Record
from twinstream.log.topics import dead_letter_topic, ensure_topics, feature_log_topic
from twinstream.logging import configure_logging, get_logger
from twinstream.online.contract import Partition
from twinstream.online.redis.connection import connect
from twinstream.online.single_writer import Runtime
from twinstream.settings import Settings

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
KEY = Types.ROW([Types.STRING()])
BATCH = Types.ROW(
    [
        Types.OBJECT_ARRAY(Types.LONG()),
        Types.OBJECT_ARRAY(Types.LONG()),
        Types.OBJECT_ARRAY(BYTES),
        Types.OBJECT_ARRAY(BYTES),
        Types.OBJECT_ARRAY(Types.BOOLEAN()),
    ]
)
"""Offsets, timestamps, keys, values, and whether the broker set each timestamp: what `sql.micro_batches` makes."""

KEYED_BATCH = Types.ROW([Types.STRING(), BATCH])
OUTPUT = Types.ROW_NAMED(["output_topic", "records"], [Types.STRING(), Types.OBJECT_ARRAY(Types.OBJECT_ARRAY(BYTES))])
"""Many records for one topic as one row, since rows are what it costs to cross; `sql.INSERT` takes it apart.

A record is an array of its key and its value, not a row: in thread mode PyFlink makes one row of all rows in an array.
"""

SETTLE_AFTER_MS = 100
"""How long a batch waits at most for a next one of its partition to settle it."""

LOOK_EVERY_MS = 1_000
"""How often each partition sees whether Redis still has what it had, records or not."""


@dataclass(frozen=True)
class FlinkKeyed:
    """Keyed state of the partition that Flink's current key stands for."""

    entities: KeyedMap
    expiries: KeyedMap
    marks: KeyedMap

    @classmethod
    def of(cls, runtime_context: RuntimeContext) -> "FlinkKeyed":
        """What Flink keeps for the stage."""
        names, values = Types.STRING(), Types.PICKLED_BYTE_ARRAY()
        kept = (MapStateDescriptor(name, names, values) for name in ("entities", "expiries", "marks"))
        return cls(*map(runtime_context.get_map_state, kept))

    def clear(self) -> None:
        """Forget everything."""
        self.entities.clear()
        self.expiries.clear()
        self.marks.clear()


class FeatureStage(KeyedProcessFunction):  # type: ignore[misc]
    """Stamps and computes; see `keyed_partition` for the order of things.

    Args:
        settings: everything configurable; they travel to the workers with this object.
        definitions: the modules with the feature groups; the workers load them themselves.
        sources: the source topics.
        brought: the digests of the modules that the job brings to the workers; see `loaded`.
    """

    def __init__(
        self,
        settings: Settings,
        definitions: str,
        sources: tuple[SourceTopic, ...],
        brought: Mapping[str, str] | None = None,
    ) -> None:
        # Flink restores this object by pickle where the environment may be another one: values travel, not settings.
        self._given = settings.model_dump(mode="python")
        self._definitions = definitions
        self._sources = {source.id: source for source in sources}
        self._brought = dict(brought or {})

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect to Redis and to keyed state."""
        self._settings = Settings.model_construct(**self._given)
        # In a worker PyFlink sends what is written to sys.stderr to the loggers, so a logger must not write there.
        stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        configure_logging(self._settings.log_level, json=True, stream=stderr)
        settings = self._settings
        check_loaded(self._brought)
        self._registry = load_registry(self._definitions)
        note_loaded(self._brought)
        self._window = WindowConfig(settings.window_ms, settings.max_events_per_entity)
        self._limits = StampingLimits(settings.max_record_bytes, settings.lateness_ms, settings.max_future_skew_ms)
        self._keyed = FlinkKeyed.of(runtime_context)
        self._partitions: dict[tuple[str, int], KeyedPartition] = {}
        self._lost: set[KeyedPartition] = set()
        self._store = connect(settings, Runtime.JOB)
        self._log_ends = LogEnds(asking(settings))
        tune_interpreter()
        self._metrics = StageMetrics(runtime_context.get_metrics_group())

    def close(self) -> None:
        """Leave Redis. In thread mode Flink does not call this when it stops a job: its next run settles then."""
        if hasattr(self, "_store"):
            for partition in self._partitions.values():
                partition.leave()
            self._store.close()

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterable[Row]:
        """Process a micro-batch and hand on its results."""
        source, number = self._current(ctx)
        if source is None:
            return  # a window that was left open by an earlier job, or when other groups read the topic
        topic = source.name
        partition = self._partition(source, number, ctx)
        rows, most = zip(*value, strict=True), self._settings.max_poll_records
        while records := [Record(topic, number, *row) for row in islice(rows, most)]:
            started = time.monotonic()
            applied = partition.process(records)
            if not applied:
                continue
            for fault in (fault for result in applied.values() for fault in result.faults):
                _logger.error("A definition raised", topic=topic, detail=fault.detail, exc_info=fault.__cause__)
            for output_topic, results in partition.rows(applied):
                yield Row(output_topic, [list(result) for result in results])
            self._metrics.processed(applied, records, time.monotonic() - started)
            self._metrics.ahead(topic, number, partition.newest_ms, records[-1].timestamp)
        if partition.unsettled:
            self._remind(ctx, SETTLE_AFTER_MS)
        self._metrics.position(topic, number, partition.next_offset)
        self._metrics.state(
            sum(each.cached_entities for each in self._partitions.values()),
            sum(each.conflicts for each in self._partitions.values()),
        )

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterable[Row]:
        """Settle the last batch of the current key's partition, if no later one has done so; see to what Redis lost.

        What it lost is noticed at one call and written at the next, so that the metrics between them tell of it.
        """
        source, number = self._current(ctx)
        if source is None:  # a topic or an epoch that an earlier job has computed
            self._keyed.clear()
            return ()
        partition = self._partition(source, number, ctx)
        partition.settle()
        has_lost = partition.redis_has_lost()
        if has_lost and partition in self._lost:
            partition.repopulate()
            has_lost = False
        if has_lost:
            self._lost.add(partition)
        else:
            self._lost.discard(partition)
        self._metrics.repopulating(len(self._lost))
        self._metrics.position(source.name, number, partition.next_offset)
        self._look_at_lag()
        self._remind(ctx, LOOK_EVERY_MS)
        return ()

    def _look_at_lag(self) -> None:
        """See how far the subtask is behind, if it is time to."""
        for (topic, number), end in self._log_ends.look(self._partitions).items():
            self._metrics.lag(topic, number, max(0, end - self._partitions[topic, number].next_offset))
        if self._log_ends.answered is not None:
            self._metrics.kafka(self._log_ends.answered)

    def _remind(self, ctx: KeyedProcessFunction.Context, within_ms: int) -> None:
        """Have `on_timer` called soon. Timers of one moment are one, so a busy partition has few."""
        timers = ctx.timer_service()
        due_ms = timers.current_processing_time() + within_ms
        timers.register_processing_time_timer(due_ms - due_ms % within_ms)

    def _current(self, ctx: KeyedProcessFunction.Context) -> tuple[SourceTopic | None, int]:
        """Topic and number of the partition that Flink's current key stands for; no topic if it is not the job's."""
        key = PartitionKey.parse(ctx.get_current_key())
        return self._sources.get(key.source), key.number

    def _partition(self, source: SourceTopic, number: int, ctx: KeyedProcessFunction.Context) -> KeyedPartition:
        """The partition of the current key; the first time it comes by, looking after it begins."""
        partition = self._partitions.get((source.name, number))
        if partition is None:
            partition = self._open_partition(source, number)
            self._remind(ctx, LOOK_EVERY_MS)
        return partition

    def _open_partition(self, source: SourceTopic, number: int) -> KeyedPartition:
        """Begin with a partition that this subtask owns from now on."""
        if number >= source.partitions:  # the topic has got more of them since
            ensure_topics(self._settings, self._registry)
        self._metrics.producer_timed(source.name, source.producer_timed)
        forget_others(self._keyed, {group.id for group in source.groups})
        groups = [self._open_group(source.name, number, group) for group in source.groups]
        dead_letters = dead_letter_topic(source.name, self._settings.output_prefix).name
        partition = self._partitions[source.name, number] = KeyedPartition(groups, dead_letters)
        owned = [group for each in self._partitions.values() for group in each.groups]
        for group in owned:
            group.share_memory(max(1, self._settings.cache_entities // len(owned)))
        return partition

    def _open_group(self, topic: str, number: int, reader: SourceGroup) -> KeyedGroup:
        """Begin with a group's part of a partition."""
        group = self._registry.named(reader.name)
        feature_log = feature_log_topic(group.name, self._settings.output_prefix).name
        computation = Computation(reader.id, group, self._window, self._limits, feature_log)
        place = Partition(topic, number, group.name)
        stored = StoredPartition(self._store, place, group, reader.epoch, self._metrics.redis)
        return KeyedGroup(computation, self._keyed, stored)


_logger = get_logger(__name__)
