"""The lab, and a log with its reference run."""

from collections.abc import Iterator

import pytest

from tests.loop.lab import Lab, Run
from tests.loop.outputs import Outputs

SECONDS_PER_TEST = 400
"""A test takes ten seconds where the machine has nothing else to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of the lab more time than others have: they start processes, and wait for them."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of all tests of the loop."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def reference(lab: Lab) -> Outputs:
    """What an uninterrupted run makes of the mixed log, which is in the source topics; made anew where it is not."""
    return lab.reference()


@pytest.fixture
def run(lab: Lab) -> Iterator[Run]:
    """A run of a consumer group of its own."""
    with lab.run() as run:
        yield run
