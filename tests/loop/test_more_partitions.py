"""Source topics with more partitions than the project's own: from the start, and while the loop runs."""

from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import OUTPUT_TOPICS, Outputs, assert_same
from tests.reference import BY_TOPIC
from twinstream.log.kafka import TopicAdmin


def logs(outputs: Outputs) -> Outputs:
    """Without the features: an entity that got another partition has states in both."""
    return {name: outputs[name] for name in OUTPUT_TOPICS}


def test_outputs_get_as_many_partitions_as_their_source_whenever_it_gets_them(lab: Lab, run: Run) -> None:
    lab.create_sources_of(5)
    lab.send(mixed_messages(400, seed=1))
    worker = run.start()  # whose outputs there are already, with two partitions each
    run.until_caught_up()
    assert_same(logs(run.outputs()), logs(lab.replayed()))

    with TopicAdmin(lab.broker.servers) as admin:
        for topic in BY_TOPIC:
            admin.widen(topic, 7)
    lab.send(mixed_messages(400, seed=2))
    run.until_caught_up()
    assert worker.terminate() == 0
    assert "Recovering" not in worker.said()
    assert_same(logs(run.outputs()), logs(lab.replayed()))
    with TopicAdmin(lab.broker.servers) as admin:
        partitions = admin.partitions()
    assert {partitions[name] for name in run.output_topics} == {7}
