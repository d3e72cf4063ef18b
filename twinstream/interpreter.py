"""Python's own settings, made to fit a worker: much kept for long, one thread that computes, and others that talk."""

import gc
import sys

YOUNG_OBJECTS, YOUNG_SEARCHES, OLD_SEARCHES = 20_000, 500, 1_000
"""After how many new objects Python looks for garbage cycles among them, and after how many such searches it looks
through what was found alive in them, too. That is the states of all cached entities, which have no cycles and are freed
without any search: looking through them takes a tenth of a second and more, and by default a fifth of the processor.
`forget_cycles` does it when a worker begins anew."""

TURN_S = 0.0005
"""How long a thread may compute while another waits for its turn. With the default, 5 ms, each of the Kafka client's
small steps towards a committed transaction waits so long for a worker that is computing."""


def tune_interpreter() -> None:
    """Make the search for cycles rare, spare it the objects that the program itself consists of, and shorten turns."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_SEARCHES, OLD_SEARCHES)
    sys.setswitchinterval(TURN_S)


def forget_cycles() -> None:
    """Look through everything for garbage cycles: cheap when the states have just been forgotten."""
    gc.collect()
