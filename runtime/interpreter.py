"""Python's own settings, made to fit a worker: much kept for long, one thread that computes, and others that talk."""

import gc
import sys

YOUNG_OBJECTS = 20_000
"""How many new objects make Python look for garbage cycles. The default, 700, looks through the states of all cached
entities so often that it takes a fifth of the processor; what a batch leaves behind is freed without that search."""

TURN_S = 0.0005
"""How long a thread may compute while another waits for its turn. With the default, 5 ms, each of the Kafka client's
small steps towards a committed transaction waits so long for a worker that is computing."""


def tune_interpreter() -> None:
    """Make the search for cycles rare, spare it the objects that the program itself consists of, and shorten turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
    sys.setswitchinterval(TURN_S)
