"""The lightweight Kafka loop: `python flink/stream_processor.py`, or `make run-features`.

Reads transactions, orders and clicks, keeps each entity's window, and writes features to Redis, the feature log and the
dead letters; exactly, also after a crash. Ends on Ctrl-C or SIGTERM, after the batch in hand is committed. The cycle is
in `twinstream.loop.loop`, the commit protocol in `twinstream.loop.commit`, recovery in `twinstream.loop.recovery`.
"""

import sys
from pathlib import Path


def main() -> None:
    """Run one worker with the arguments of the command line."""
    from twinstream.packages import missing_packages_named

    with missing_packages_named():
        from twinstream.loop.worker import run_from_command_line

        run_from_command_line()


if __name__ == "__main__":
    # A script finds the modules beside it; ours are found from the repository's root.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    main()
