"""A Redis state made before groups or features came, went or came back is continued: the bytes are as ever."""

from pathlib import Path

from tests.loop.groups import by_topic, clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Lab
from tests.loop.logs import mixed_messages
from tests.loop.outputs import assert_same
from tests.waiting import wait_until
from twinstream.definitions import load_registry


def test_groups_and_features_come_and_go_between_kills_and_all_continue_where_they_were(
    lab: Lab, tmp_path: Path
) -> None:
    lab.create_sources()
    messages = list(mixed_messages())
    clicks = clicks_with_another_feature(tmp_path)
    steps = [
        "features.transaction,features.clickstream",
        "features.transaction,features.clickstream,features.order",
        f"features.transaction,{clicks}",
    ]
    with lab.run(max_poll_records=20) as run:
        for step, definitions in enumerate(steps):
            lab.send(messages[step::4])
            before, wanted = by_topic(run.progress()), set(load_registry(definitions).topics)
            worker = run.start(features=definitions)
            wait_until(
                lambda before=before, wanted=wanted: wanted <= (by_topic(run.progress()) - before).keys(), "all move on"
            )
            worker.kill()
        lab.send(messages[3::4])
        run.finish(features=f"features.order,{clicks},features.transaction")
        outputs, expected = run.outputs(), lab.replayed()
    for group in ("transaction", "order"):
        assert_same(of(group, outputs), of(group, expected))
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(expected["features.clickstream"])
    assert_same(of_clicks, of("clickstream", expected))
