"""The PyFlink job: `make run-flink`, or submitted with `flink run -py flink/jobs/feature_job.py`.

`make run-flink` prepares what a Flink in this process needs, and starts the same program; `flink run` brings its own.
"""

import sys
from pathlib import Path


def main() -> None:
    """Start the job with the arguments of the command line."""
    from twinstream.packages import missing_packages_named

    with missing_packages_named():
        from twinstream.job.command import run_from_command_line

        run_from_command_line("python flink/jobs/feature_job.py")


if __name__ == "__main__":
    # A script finds the modules beside it; ours are found from the repository's root, or where `flink run` put them.
    root = Path(__file__).resolve().parent.parent.parent
    sys.path.pop(0)
    if (root / "flink" / "jobs").is_dir():
        sys.path.insert(0, str(root))
    main()
