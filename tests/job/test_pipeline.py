"""Which savepoints a job can go on from: those under the name of its own stage."""

import pytest

from twinstream.job.pipeline import stage_uid

EPOCHS = {"transactions": "a", "orders": "b"}
UID = stage_uid(EPOCHS, "thread")


def test_a_stage_has_the_same_name_in_every_run() -> None:
    assert stage_uid(dict(reversed(EPOCHS.items())), "thread") == UID


@pytest.mark.parametrize(
    ("epochs", "mode"),
    [(EPOCHS, "process"), (EPOCHS | {"orders": "c"}, "thread"), ({"transactions": "a"}, "thread")],
    ids=["another mode", "another epoch", "a source less"],
)
def test_a_stage_whose_state_would_not_fit_has_another_name(epochs: dict[str, str], mode: str) -> None:
    assert stage_uid(epochs, mode) != UID  # type: ignore[arg-type]
