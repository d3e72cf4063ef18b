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
    PositionLost,
    Rebalanced,
    Record,
    RecordTooLarge,
    TopicPartition,
    Transaction,
    TransactionFailed,
)
from runtime.kafka.reading import committed_offsets, end_offsets, read_topic

__all__ = [
    "Committed",
    "EventLog",
    "Fenced",
    "KafkaLog",
    "KafkaUnavailable",
    "LogError",
    "NameTaken",
    "PositionLost",
    "Rebalanced",
    "Record",
    "RecordTooLarge",
    "TopicAdmin",
    "TopicPartition",
    "Transaction",
    "TransactionFailed",
    "committed_offsets",
    "end_offsets",
    "read_topic",
]
