"""The Kafka client of a worker, on kafka-python: a static group member that reads, and a transactional writer.

The group gives each member whole partitions, spread one by one over the members (round robin over the partitions of all
topics), and takes all of them back for each rebalance: simple, and a worker that only restarts causes no rebalance.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from kafka import KafkaConsumer
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import (
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.util import Timer

from twinstream.log.contract import (
    Committed,
    Fenced,
    KafkaUnavailable,
    LogError,
    PositionLost,
    Rebalanced,
    Record,
    TopicPartition,
)
from twinstream.log.kafka.batch_decoder import FetchedRecords
from twinstream.log.kafka.client_options import (
    ANSWER_TIMEOUT_MS,
    MEMBER_OPTIONS,
    connection_options,
)
from twinstream.log.kafka.connecting import build_client
from twinstream.log.kafka.membership import (
    Rebalances,
    end_predecessor,
    leave_group,
    name_taken,
    ours,
    see_join_through,
    theirs,
)
from twinstream.log.kafka.requests import Brokers, translated
from twinstream.log.kafka.transactions import KafkaTransaction, TransactionalWriter
from twinstream.log.kafka.worker_slots import WorkerSlot
from twinstream.settings import Settings


class KafkaLog:
    """The source topics as one worker of the group sees them; implements `twinstream.log.contract.EventLog`.

    The worker's slot is `settings.worker_slot`, or the first free one on this machine if that is None.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        on_assigned: Rebalanced,
        on_revoked: Rebalanced,
        slot_directory: Path | None = None,
    ) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._assigned: set[TopicPartition] = set()
        self._awaiting_seek: set[TopicPartition] = set()
        self._topic_ids: dict[str, UUID] = {}
        self._fetched_anew: set[str] = set()
        self._slot = WorkerSlot(settings.kafka_servers, settings.consumer_group, settings.worker_slot, slot_directory)
        self.worker_name = self._slot.worker_name
        with contextlib.ExitStack() as undo:
            undo.callback(self._slot.release)
            self._rebalances = Rebalances()
            self._consumer = self._join()
            self._brokers = Brokers(self._consumer, settings)
            undo.callback(self._consumer.close)
            self._writer = TransactionalWriter(settings, self.worker_name)
            undo.pop_all()

    def _join(self) -> Any:
        with self._translated():
            end_predecessor(self._settings, self.worker_name, self._topics)
        options = connection_options(self._settings) | MEMBER_OPTIONS
        options |= {
            "group_id": self._settings.consumer_group,
            "group_instance_id": self.worker_name,
            "partition_assignment_strategy": [RoundRobinPartitionAssignor],
        }
        consumer = build_client(KafkaConsumer, self._settings, options)
        consumer._fetcher.PartitionRecords = self._open_fetch
        self._rebalances.consumer = consumer
        consumer.subscribe(self._topics, listener=self._rebalances)
        # Joining before the topics' partitions are known would take two rebalances.
        manager = consumer._manager
        with contextlib.suppress(KafkaUnavailable), self._translated():
            manager.run(manager.wait_for, consumer._cluster.request_update(), ANSWER_TIMEOUT_MS)
        return consumer

    # Reading

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        """The next records; see `EventLog.poll`. Empty when there are none, and also while the broker is away."""
        timer = Timer(timeout_ms)
        while True:
            see_join_through(self._consumer)
            try:
                # One round of the client's own `poll`, which would not come back to tell of a rebalance.
                with self._translated():
                    fetched = self._consumer._poll_once(timer, max_records)
            finally:
                self._tell_rebalances()
            records = {
                partition: records
                for client_partition, records in fetched.items()
                if (partition := ours(client_partition)) in self._assigned and partition not in self._awaiting_seek
            }
            if records:
                self._confirm_topics(records)
                return records
            self._look_for_replaced_topics()
            if timer.expired:
                return {}

    def _open_fetch(self, fetch_offset: int, partition: Any, *args: Any, **options: Any) -> FetchedRecords:
        """Called by the client for each partition of a fetch response as it gets to reading it."""
        self._fetched_anew.add(partition.topic)
        return FetchedRecords(fetch_offset, partition, *args, **options)

    def _confirm_topics(self, polled: Mapping[TopicPartition, list[Record]]) -> None:
        """Make sure that the records are of the topic that the caller knows, not of a later one of the same name.

        The client fetches by name. A topic that is deleted, created and filled again between two fetches goes on
        where the old one was, as if nothing had happened; so the brokers are asked after each new fetch.
        """
        names = self._fetched_anew & {partition.topic for partition in polled}
        if not names:
            return
        try:
            self._compare_topic_ids(names)
        except LogError:
            for partition in polled.keys() - self._awaiting_seek:
                self._consumer.seek(theirs(partition), polled[partition][0].offset)
            raise
        self._fetched_anew -= names

    def _look_for_replaced_topics(self) -> None:
        """The same for a topic of which nothing comes, by the metadata that the client refreshes in the background."""
        cluster = self._consumer._cluster
        names = {name for name, known in self._topic_ids.items() if cluster.topic_id(name) not in (known, None)}
        if names:
            cluster.request_update()
            self._compare_topic_ids(names)

    def _compare_topic_ids(self, names: set[str]) -> None:
        for name, current in self._ask_topic_ids(names).items():
            if self._topic_ids.setdefault(name, current) != current:
                del self._topic_ids[name]
                replaced = [partition for partition in self._assigned if partition.topic == name]
                self._hold(replaced)
                raise PositionLost(replaced, f"Topic {name} was deleted and created again")

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._assigned)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self._assigned:
            raise PositionLost([partition], "Not assigned to this worker")
        with self._translated():
            self._consumer.seek(theirs(partition), offset)
        if partition in self._awaiting_seek:
            self._awaiting_seek.discard(partition)
            self.resume([partition])

    def position(self, partition: TopicPartition) -> int:
        with self._translated():
            state = self._consumer._subscription.assignment.get(theirs(partition))
            if state is None or state.position is None or partition in self._awaiting_seek:
                raise PositionLost([partition], "There is no position")
            return int(state.position.offset)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._consumer.pause(*self._consumer.assignment().intersection(map(theirs, partitions)))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        wanted = {theirs(partition) for partition in partitions if partition not in self._awaiting_seek}
        self._consumer.resume(*self._consumer.assignment().intersection(wanted))

    def _tell_rebalances(self) -> None:
        """Pass on what happened inside the client's poll, on the caller's thread, where blocking calls are allowed.

        A callback that raises is called again by the next poll, unless another rebalance has overtaken it.
        """
        news = self._rebalances
        if news.revoked:
            if self._assigned:
                self._on_revoked(sorted(self._assigned))
            self._assigned.clear()
            self._awaiting_seek.clear()
            news.revoked = False
        if news.assigned is not None:
            self._assigned = set(news.assigned)
            self._awaiting_seek = set(news.assigned)
            self._topic_ids.clear()
            if news.assigned:
                self._on_assigned(news.assigned)
            news.assigned = None

    def _hold(self, partitions: Iterable[TopicPartition]) -> None:
        """Let partitions deliver nothing more, not even what was fetched already, until they are sought."""
        fetcher = self._consumer._fetcher
        for partition in partitions:
            held = theirs(partition)
            self._awaiting_seek.add(partition)
            self._consumer.pause(held)
            fetcher._paused_completed_fetches.pop(held, None)
            fetcher._paused_partition_records.pop(held, None)
            buffered = fetcher._next_partition_records
            if buffered and buffered.topic_partition == held:
                buffered.drain()
            for fetch in [each for each in fetcher._completed_fetches if each.topic_partition == held]:
                fetcher._completed_fetches.remove(fetch)

    # Asking the brokers

    def committed(self, partition: TopicPartition) -> Committed | None:
        return self._brokers.committed(partition)

    def beginning_offset(self, partition: TopicPartition) -> int:
        return self._brokers.beginning_offset(partition)

    def end_offset(self, partition: TopicPartition) -> int:
        return self._brokers.end_offsets([partition])[partition]

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return self._brokers.end_offsets(partitions)

    def offset_for_time(self, partition: TopicPartition, timestamp_ms: int) -> int | None:
        return self._brokers.offset_for_time(partition, timestamp_ms)

    def is_append_timed(self, topic: str) -> bool:
        return self._brokers.is_append_timed(topic)

    def ping(self, timeout_ms: int = ANSWER_TIMEOUT_MS) -> None:
        self._brokers.ping(timeout_ms)

    def topic_id(self, topic: str) -> str:
        self._topic_ids.update(self._ask_topic_ids({topic}))
        return str(self._topic_ids[topic])

    def _ask_topic_ids(self, names: set[str]) -> dict[str, UUID]:
        found = self._brokers.topic_ids(names, self._writer.connections)
        for name in names - found.keys():
            gone = [partition for partition in self._assigned if partition.topic == name]
            self._hold(gone)
            raise PositionLost(gone, f"Topic {name} does not exist")
        return found

    # Writing

    @contextlib.contextmanager
    def transaction(self) -> Iterator[KafkaTransaction]:
        """Outputs and offsets in one transaction, committed when the block ends; see `contract.Transaction`."""
        membership = self._consumer.group_metadata()
        if not membership.member_id:  # Kafka would take us for another process of the same name
            raise Fenced("This worker did not poll for so long that its group goes on without it.")
        with self._writer.begin(membership) as transaction:
            yield transaction

    def recover(self) -> None:
        """Replace the producer. The broker aborts or completes what the last one left pending before this returns."""
        self._writer.discard()
        self.ping()
        self._writer.open()

    # Leaving

    def close(self) -> None:
        """Leave the group for good, so that others take over the partitions at once, and free the slot."""
        self._writer.discard()
        with contextlib.suppress(KafkaError):
            leave_group(self._consumer, ANSWER_TIMEOUT_MS)
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=ANSWER_TIMEOUT_MS)
        self._assigned.clear()
        self._slot.release()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FencedInstanceIdError as error:
            raise name_taken(self.worker_name) from error
        except OffsetOutOfRangeError as error:
            raise self._lost(error.args[0], "The log does not hold the position") from error
        except NoOffsetForPartitionError as error:
            raise self._lost(error.args[0], "There is no position") from error
        except LogTruncationError as error:
            raise self._lost(self._assigned, "The log was truncated") from error
        except KafkaError as error:
            raise translated(error, self._settings) from error

    def _lost(self, partitions: Any, reason: str) -> PositionLost:
        lost = [ours(partition) for partition in partitions]
        self._hold(partition for partition in lost if partition in self._assigned)
        return PositionLost(lost, reason)
