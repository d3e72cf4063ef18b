"""A Redis state made before groups or features came, went or came back is continued: the bytes are as ever."""

from pathlib import Path

from tests.loop.groups import clicks_with_another_feature, of, without_the_other_feature
from tests.loop.lab import Run
from tests.loop.outputs import Outputs, assert_same


def test_groups_and_features_come_and_go_between_kills_and_all_continue_where_they_were(
    run: Run, reference: Outputs, tmp_path: Path
) -> None:
    clicks = clicks_with_another_feature(tmp_path)
    for definitions in (
        "features.transaction,features.clickstream",
        "features.transaction,features.clickstream,features.order",
        f"features.transaction,{clicks}",
    ):
        worker = run.start(features=definitions, max_poll_records=5)
        run.until_under_way()
        worker.kill()
    assert run.progress() != run.lab.ends(), "everything has been read already: a longer log is needed"
    run.finish(features=f"features.order,{clicks},features.transaction")
    outputs = run.outputs()
    for group in ("transaction", "order"):
        assert_same(of(group, outputs), of(group, reference))
    of_clicks = of("clickstream", outputs)
    assert 0 < without_the_other_feature(of_clicks) < len(reference["features.clickstream"])
    assert_same(of_clicks, of("clickstream", reference))
