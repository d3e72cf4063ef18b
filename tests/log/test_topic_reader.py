"""Where a topic's records end, as a reader sees it, and what it says when it cannot read on."""

from collections.abc import Callable
from contextlib import closing

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from deploy.local import LocalKafka
from tests.topics import until_decided
from twinstream.log.kafka import RecordsDeleted, end_offsets, read_topic, record_ends


def test_markers_and_aborted_records_behind_the_last_record_do_not_count(
    kafka_broker: LocalKafka, new_topic: Callable[..., str], unique: Callable[[str], str]
) -> None:
    topic = new_topic(partitions=3)
    producer = KafkaProducer(bootstrap_servers=kafka_broker.servers, transactional_id=unique("writer"))
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(5):
        producer.send(topic, b"%d" % number, partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    for partition in (0, 1):
        for _ in range(150):
            producer.send(topic, b"never", partition=partition)
    producer.flush()
    producer.abort_transaction()
    producer.close()
    until_decided(kafka_broker.servers, topic)
    assert end_offsets(kafka_broker.servers, topic) == {0: 157, 1: 151}
    assert record_ends(kafka_broker.servers, topic) == {0: 5}


def test_records_that_are_deleted_while_a_topic_is_read_are_named(
    kafka_broker: LocalKafka, new_topic: Callable[..., str]
) -> None:
    topic = new_topic(partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka_broker.servers)
    for _ in range(5_000):  # of which the client fetches a fifth at once
        producer.send(topic, b"x" * 1_000)
    producer.close()
    with closing(read_topic(kafka_broker.servers, topic, poll_records=100)) as records:
        next(records)
        admin = KafkaAdminClient(bootstrap_servers=kafka_broker.servers)
        admin.delete_records({TopicPartition(topic, 0): 4_990})
        admin.close()
        with pytest.raises(RecordsDeleted, match=rf"records of {topic}-0 \(offsets \d+ to 4989\).*run it again"):
            list(records)
