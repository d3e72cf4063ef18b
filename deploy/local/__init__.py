"""Kafka and Redis as plain local processes, for `make up` and for the tests."""

from deploy.local.kafka import LocalKafka
from deploy.local.redis import LocalRedis
from twinstream.local.ports import free_port

__all__ = ["LocalKafka", "LocalRedis", "free_port"]
