"""What the loop, the stores and the tools know of Kafka; no type of a Kafka client gets out of here.

- `KafkaLog`: what the loop holds (`EventLog` is its contract, the errors and types come with it);
- `read_topic`: a topic from end to end, for tools and tests;
- `TopicAdmin`: creating, deleting and listing topics.
"""

from twinstream.log.contract import (
    Committed,
    EventLog,
    Fenced,
    KafkaUnavailable,
    LogError,
    NameTaken,
    NotAllowed,
    PositionLost,
    Rebalanced,
    Record,
    RecordTooLarge,
    TopicPartition,
    Transaction,
    TransactionFailed,
)
from twinstream.log.kafka.admin import TopicAdmin
from twinstream.log.kafka.kafka_log import KafkaLog
from twinstream.log.kafka.topic_reader import beginning_offsets, committed_offsets, end_offsets, read_topic, record_ends
from twinstream.log.retention import Deleted, IfDeleted, IfLogLost, RecordsDeleted, deleted_records, going_on_without

__all__ = [
    "Committed",
    "Deleted",
    "EventLog",
    "Fenced",
    "IfDeleted",
    "IfLogLost",
    "KafkaLog",
    "KafkaUnavailable",
    "LogError",
    "NameTaken",
    "NotAllowed",
    "PositionLost",
    "Rebalanced",
    "Record",
    "RecordTooLarge",
    "RecordsDeleted",
    "TopicAdmin",
    "TopicPartition",
    "Transaction",
    "TransactionFailed",
    "beginning_offsets",
    "committed_offsets",
    "deleted_records",
    "end_offsets",
    "going_on_without",
    "read_topic",
    "record_ends",
]
