"""Where a topic's records end, as a reader sees it."""

from collections.abc import Callable

from kafka import KafkaProducer

from deploy.local import LocalKafka
from tests.topics import until_decided
from twinstream.log.kafka import end_offsets, record_ends


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
