"""What the benchmark and the PyFlink contenders tell each other; without PyFlink, so that either can read it."""

import msgspec

DONE = "benchmark:done"
"""Counts, in Redis, the events whose values are there."""

STAGES = "benchmark:stages"
"""Microseconds of processor time by part of the Python stage, in Redis."""


class Plan(msgspec.Struct):
    """What to run.

    Attributes:
        shape: twinstream, record or batch.
        mode, parallelism: as of the job.
        servers, redis_port: where Kafka and Redis are.
        run: consumer group, and with a dot the prefix of the outputs.
        directory: for checkpoints.
        checkpoint_interval_ms: how often there is one.
    """

    shape: str
    mode: str
    parallelism: int
    servers: str
    redis_port: int
    run: str
    directory: str
    checkpoint_interval_ms: int
