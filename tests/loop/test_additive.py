"""A Redis state made before groups or features came, went or came back is continued: the bytes are as ever.

Two groups come to the topic of another while it runs: `spending` decodes as that does, `domestic` does not.
"""

from collections import Counter
from pathlib import Path

from tests.definitions.domestic import domestic
from tests.definitions.spending import spending
from tests.loop.groups import clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Lab, Run
from tests.loop.logs import mixed_messages
from tests.loop.outputs import assert_same, line_of, replayed
from tests.waiting import wait_until
from twinstream.definitions import load_registry
from twinstream.log.kafka import read_topic
from twinstream.registry import Registry

Line = tuple[int, bytes | None, bytes | None]


def test_groups_and_features_come_and_go_between_kills_and_all_continue_where_they_were(
    lab: Lab, tmp_path: Path
) -> None:
    lab.create_sources()
    messages = list(mixed_messages())
    clicks = clicks_with_another_feature(tmp_path)
    steps = [
        "features.transaction,features.clickstream",
        "features.transaction,features.clickstream,features.order,tests.definitions.spending",
        f"features.transaction,{clicks},tests.definitions.domestic",
    ]
    with lab.run(max_poll_records=20) as run:
        for step, definitions in enumerate(steps):
            lab.send(messages[step::4])
            before, wanted = by_group(run), set(load_registry(definitions).names)
            worker = run.start(features=definitions)
            wait_until(lambda before=before, wanted=wanted: wanted <= (by_group(run) - before).keys(), "all move on")
            worker.kill()
        lab.send(messages[3::4])
        last = f"features.order,{clicks},features.transaction,tests.definitions.spending,tests.definitions.domestic"
        run.finish(features=last)
        outputs, expected = run.outputs(), lab.replayed()
        sources = {"transactions": lab.sources()["transactions"]}
        written = {name: feature_log(run, name) for name in ("spending", "domestic")}
    for group in ("transaction", "order"):
        made = of(group, outputs)
        made.pop("transactions.dlq", None)
        assert_same(made, {name: expected[name] for name in made})
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(expected["features.clickstream"])
    assert_same(of_clicks, of("clickstream", expected))
    letters = set(expected["transactions.dlq"])
    for newcomer in (spending, domestic):
        alone = replayed(sources, Registry([newcomer]))
        assert written[newcomer.name] == sorted(alone[f"features.{newcomer.name}"], key=lambda line: line[0])
        mine = f"features:{newcomer.name}:"
        features = {name: made for name, made in outputs.items() if name.startswith(mine)}
        assert_same(features, {name: made for name, made in alone.items() if name.startswith(mine)})
        letters |= set(alone["transactions.dlq"])
    assert set(outputs["transactions.dlq"]) == letters


def feature_log(run: Run, group: str) -> list[Line]:
    """What the run has written, partition by partition."""
    records = read_topic(run.lab.broker.servers, f"{run.group}.features.{group}")
    return sorted(map(line_of, records), key=lambda line: line[0])


def by_group(run: Run) -> Counter[str]:
    """Records that have come into Redis of each group."""
    counted: Counter[str] = Counter()
    for place, offset in run.progress_of_groups().items():
        counted[place.split(":")[0]] += offset
    return counted
