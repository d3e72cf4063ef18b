"""The loops that are compared, each a process of its own: `python -m benchmarks.contenders.<name> JOB`."""
