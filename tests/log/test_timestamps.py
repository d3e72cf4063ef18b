"""Source topics that keep their producers' timestamps are said at the start, with the command that changes them."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from deploy.local import LocalKafka
from tests.reference import BY_TOPIC, REGISTRY
from twinstream.log import topics
from twinstream.log.kafka import TopicAdmin
from twinstream.log.topics import Topic, prepare_topics
from twinstream.settings import Settings


@pytest.mark.parametrize(("kind", "told"), [("CreateTime", True), ("LogAppendTime", False)])
def test_a_topic_that_the_broker_does_not_stamp_is_named_with_what_mends_it(
    kind: str,
    told: bool,
    kafka_broker: LocalKafka,
    unique: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Topic(unique("source"), 1, {"message.timestamp.type": kind})
    monkeypatch.setattr(topics, "source_topics", lambda _: (source,))
    settings = Settings(kafka_servers=kafka_broker.servers, output_prefix=f"{unique('outputs')}.")
    with capture_logs() as said:
        assert prepare_topics(settings, REGISTRY, unique("group")) == ((source.name,) if told else ())
    command = f"kafka-configs.sh --bootstrap-server {kafka_broker.servers} --alter --entity-type topics"
    mend = f"{command} --entity-name {source.name} --add-config message.timestamp.type=LogAppendTime"
    assert [(line["topic"], line["mend"]) for line in said] == ([(source.name, mend)] if told else [])


def test_the_projects_own_topics_are_stamped_by_the_broker(fresh_topics: LocalKafka) -> None:
    with TopicAdmin(fresh_topics.servers) as admin:
        assert admin.producer_timed(BY_TOPIC) == ()
