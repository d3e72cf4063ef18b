"""The job's program, which `twinstream flink run` starts when it has prepared what Flink needs."""

from twinstream.packages import missing_packages_named

if __name__ == "__main__":
    with missing_packages_named():
        from twinstream.job.command import run_from_command_line

        run_from_command_line()
