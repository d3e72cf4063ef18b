"""One worker of the loop as a process: its command line, its signals, its health server and its status line."""

from typing import Annotated

import typer

from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.health import HealthServer
from twinstream.interpreter import tune_interpreter
from twinstream.log.kafka import IfLogLost, KafkaLog, LogError
from twinstream.log.topics import ensure_topics, prepare_topics
from twinstream.logging import bind, configure_logging, get_logger
from twinstream.loop.loop import Loop
from twinstream.loop.status import WorkerStatus
from twinstream.online.redis.connection import connect
from twinstream.online.single_writer import Runtime
from twinstream.online.store_errors import StoreError
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.stopping import StopRequest
from twinstream.terminal import Features, Terminal, command_line, run_command

DRAIN_DEADLINE_S = 15.0
"""How long the batch in hand may take after a request to end."""

app = command_line()


def kafka_loop(settings: Settings, registry: Registry, if_log_lost: IfLogLost = IfLogLost.REFUSE) -> Loop:
    """The loop on the Kafka and the Redis that the settings name.

    Raises:
        UserError: one of them does not answer, or cannot be relied on, or Redis has another writer.
    """
    store = connect(settings, Runtime.LOOP)
    store.check_writer(registry.names)
    producer_timed = prepare_topics(settings, registry, settings.consumer_group)
    loop = Loop(
        lambda on_assigned, on_revoked: KafkaLog(settings, list(registry.topics), on_assigned, on_revoked),
        store,
        settings,
        registry,
        if_log_lost=if_log_lost,
        provide_outputs=lambda: ensure_topics(settings, registry),
    )
    for topic in registry.topics:
        loop.totals.metrics.producer_timed.labels(topic).set(topic in producer_timed)
    return loop


def run(loop: Loop, settings: Settings, until_caught_up: bool, console: Terminal) -> None:
    """Run a loop until it is told to stop, or until it has caught up, and print its summary.

    Raises:
        UserError: a port is taken, or Kafka lost data.
    """
    tune_interpreter()
    stop = StopRequest(
        DRAIN_DEADLINE_S, "The batch in hand could not be finished in time; it is recovered at the next start"
    )
    status = WorkerStatus(loop, console)

    def should_stop() -> bool:
        status.update()
        return stop.requested or (until_caught_up and loop.caught_up())

    try:
        health = HealthServer(
            loop.totals.metrics.registry, loop.ready, host=settings.metrics_host, port=settings.metrics_port
        ).start()
        _logger.info("Worker started", health=f"{health.url}/readyz", metrics=f"{health.url}/metrics")
        with status.line:
            loop.run(should_stop)
        health.stop()
    finally:
        loop.log.close()
    console.print(status.summary())


@app.command(
    epilog="Examples:\n\n`python flink/stream_processor.py --kafka-servers localhost:9092`\n\n"
    "`python flink/stream_processor.py --until-caught-up`\n\n"
    "`OUTPUT_PREFIX=test. CONSUMER_GROUP=test REDIS_DB=1 python flink/stream_processor.py`"
)
def main(
    features: Features = None,
    kafka_servers: Annotated[str | None, typer.Option(help="Kafka brokers, host:port.")] = None,
    consumer_group: Annotated[str | None, typer.Option(help="Consumer group and namespace of the state.")] = None,
    output_prefix: Annotated[str | None, typer.Option(help="Put before the names of output topics.")] = None,
    redis_db: Annotated[int | None, typer.Option(help="Redis database number.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of /metrics, /healthz and /readyz; 0 for any.")] = None,
    worker_slot: Annotated[int | None, typer.Option(help="Number of this worker; by default the first free.")] = None,
    until_caught_up: Annotated[bool, typer.Option("--until-caught-up", help="End at the log's present end.")] = False,
    if_log_lost: Annotated[
        IfLogLost,
        typer.Option(help="What to do when Kafka has lost data: processed records, or records that nobody processed."),
    ] = IfLogLost.REFUSE,
) -> None:
    """Compute features from Kafka into Redis until Ctrl-C."""
    console = Terminal()
    settings = load_settings(
        features=features,
        kafka_servers=kafka_servers,
        consumer_group=consumer_group,
        output_prefix=output_prefix,
        redis_db=redis_db,
        metrics_port=metrics_port,
        worker_slot=worker_slot,
    )
    configure_logging(settings.log_level)
    bind(group=settings.consumer_group)
    registry = load_registry(settings.features)
    run(kafka_loop(settings, registry, if_log_lost), settings, until_caught_up, console)


def run_from_command_line() -> None:
    """Run one worker with the arguments of the command line."""
    run_command(app, "python flink/stream_processor.py", told=(UserError, LogError, StoreError))


_logger = get_logger(__name__)
