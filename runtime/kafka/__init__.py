"""What the loop, the stores and the tools know of Kafka; no type of a Kafka client gets out of here.

- `KafkaLog`: what the loop holds (`EventLog` is its contract, the errors and types come with it);
- `read_topic`: a topic from end to end, for tools and tests;
- `TopicAdmin`: creating, deleting and listing topics.
"""

from runtime.kafka.admin import TopicAdmin
from runtime.kafka.client import KafkaLog
from runtime.kafka.contract import (
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
from runtime.kafka.reading import beginning_offsets, committed_offsets, end_offsets, read_topic, record_ends
from runtime.kafka.retention import Deleted, IfDeleted, IfLogLost, RecordsDeleted, deleted_records

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
    "read_topic",
    "record_ends",
]
