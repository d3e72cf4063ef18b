"""What a worker has done so far: counted for the final summary, and told to Prometheus."""

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby

from twinstream.log.contract import KafkaUnavailable, TransactionFailed
from twinstream.log.retention import Deleted
from twinstream.logging import get_logger
from twinstream.loop.commit import Portion
from twinstream.loop.loop_metrics import LoopMetrics
from twinstream.online.contract import Partition
from twinstream.online.store_errors import StoreUnavailable


@dataclass(slots=True)
class Totals:
    """Counts since the start. For each group a record is accepted, a dead letter, or a replay of one that was before.

    Attributes:
        records: by topic: whose outcome this run has emitted.
        accepted: by group.
        dead_letters: by topic and reason.
        replayed: by group: applied again, silently, because an earlier run had emitted their results.
        shared: entities written, batch by batch, that are in more than one partition.
        gone: records that Kafka deleted before they were processed, and that the user goes on without.
    """

    metrics: LoopMetrics = field(default_factory=LoopMetrics)
    records: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    shared: int = 0
    rebalances: int = 0
    recoveries: int = 0
    gone: list[Deleted] = field(default_factory=list)

    @property
    def input(self) -> int:
        """Records of all topics whose outcome this run has emitted."""
        return self.records.total()

    @property
    def gone_text(self) -> str:
        """What is gone, for a person; empty when nothing is."""
        return f"Kafka deleted {', '.join(map(str, self.gone))} before they were processed" if self.gone else ""

    def gone_without(self, deleted: Deleted) -> None:
        """A partition goes on without records that Kafka has deleted."""
        self.gone.append(deleted)
        _logger.warning("Kafka deleted records before they were processed; going on without them", gone=str(deleted))
        self.metrics.records_deleted.labels(deleted.topic, str(deleted.partition)).inc(deleted.count)

    def rebalanced(self) -> None:
        """Partitions were assigned anew."""
        self.rebalances += 1
        self.metrics.rebalances.inc()

    def recovering(self, fault: Exception) -> None:
        """The recovery path is taken because of this."""
        self.recoveries += 1
        self.metrics.recoveries.labels(type(fault).__name__).inc()
        if isinstance(fault, StoreUnavailable):
            self.metrics.redis_up.set(0)
        elif isinstance(fault, KafkaUnavailable | TransactionFailed):
            self.metrics.kafka_up.set(0)

    def all_is_well(self) -> None:
        """Kafka and Redis have just answered."""
        self.metrics.redis_up.set(1)
        self.metrics.kafka_up.set(1)

    def committed(self, batch: list[Portion], shared: list[tuple[Partition, str]], seconds: float) -> None:
        """A batch has become visible, this long after it was polled."""
        metrics, now_ms = self.metrics, time.time() * 1000
        for source, entity in shared:
            if not self.shared:
                _logger.warning(
                    "An entity is in two partitions: key its records by it", topic=source.topic, entity=entity
                )
            self.shared += 1
            metrics.shared_entities.labels(source.group).inc()
        for source, portions in groupby(batch, lambda portion: portion.owner.source):
            self.records[source.topic] += max(portion.records for portion in portions)
        for portion in batch:
            group, topic = portion.owner.partition.group.name, portion.owner.source.topic
            applied = portion.applied
            self.accepted[group] += len(applied.features)
            self.replayed[group] += applied.replayed
            metrics.events.labels(group, "accepted").inc(len(applied.features))
            metrics.events.labels(group, "replayed").inc(applied.replayed)
            metrics.events.labels(group, "dead_letter").inc(len(applied.dead_letters))
            for letter in applied.dead_letters:
                self.dead_letters[topic, letter.reason] += 1
                metrics.dead_letters.labels(topic, letter.reason).inc()
            if (newest_ms := portion.progress.lateness.newest_ms) is not None:
                ahead_ms = newest_ms - portion.newest_ms
                metrics.event_time_ahead.labels(topic, str(portion.owner.source.partition)).set(ahead_ms / 1000)
            metrics.end_to_end_seconds.observe(max(0.0, now_ms - portion.oldest_ms) / 1000)
        metrics.batch_seconds.observe(seconds)
        metrics.committed()


_logger = get_logger(__name__)
