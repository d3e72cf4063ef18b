"""Python's search for garbage cycles, made to fit a worker that keeps many objects for long."""

import gc

YOUNG_OBJECTS = 20_000
"""How many new objects make Python look for garbage cycles. The default, 700, looks through the states of all cached
entities so often that it takes a fifth of the processor; what a batch leaves behind is freed without that search."""


def collect_rarely() -> None:
    """Make the search rare, and spare it the objects that the program itself consists of."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
