"""The job's command line: settings and options in, a running job out."""

import os
from pathlib import Path
from typing import Annotated

import typer

from twinstream.definitions import load_registry
from twinstream.errors import UserError
from twinstream.job.caught_up import Offsets
from twinstream.job.embedded import configuration, end_flink, require_free, require_libraries
from twinstream.job.options import BATCH_INTERVAL_MS, JobOptions, Mode, consumer_group, transactional_id_prefix
from twinstream.job.paths import flink_path, newest_savepoint, resume_line
from twinstream.job.rest import FlinkRest, TasksDoNotRun
from twinstream.job.sources import SourceGroup, SourceTopic
from twinstream.job.watch import JobSnapshot, JobStatusLine, explain, record_ends_of_all, root_cause, watch
from twinstream.log.kafka import (
    IfDeleted,
    LogError,
    RecordsDeleted,
    TopicAdmin,
    beginning_offsets,
    committed_offsets,
    deleted_records,
)
from twinstream.log.kafka.sender import Sender
from twinstream.log.topics import prepare_topics
from twinstream.logging import configure_logging, get_logger
from twinstream.online.epoch import epoch
from twinstream.online.redis.connection import connect
from twinstream.online.single_writer import Runtime
from twinstream.online.store_errors import StoreError
from twinstream.registry import Registry
from twinstream.settings import Settings, load_settings
from twinstream.stopping import StopRequest
from twinstream.terminal import Features, Terminal, command_line, run_command

app = command_line()


def prepare(settings: Settings, registry: Registry) -> tuple[str, ...]:
    """Create the topics that are missing, and make sure that Kafka lets the job do what it has to.

    Returns:
        The source topics whose records are not stamped by the broker.

    Raises:
        UserError: Kafka does not answer, or some right is missing.
    """
    producer_timed = prepare_topics(settings, registry, consumer_group(settings))
    with Sender(settings, f"{transactional_id_prefix(settings)}rights"):
        pass  # else the sink's own producers would be refused, in the middle of the stream
    return producer_timed


def start_job(settings: Settings, registry: Registry, options: JobOptions, more: dict[str, str]) -> str:
    """Check what the job needs, start it, and return its id.

    Raises:
        UserError: Kafka or Flink does not answer, or refuses.
    """
    from py4j.protocol import Py4JJavaError
    from pyflink.util.exceptions import JavaException

    from twinstream.job.dataflow import start

    producer_timed = prepare(settings, registry)
    with TopicAdmin(settings) as admin:
        partitions, ids = admin.partitions(), admin.ids()
    sources = [
        SourceTopic(
            topic,
            ids[topic],
            partitions[topic],
            readers(registry, topic, ids[topic], settings),
            topic in producer_timed,
        )
        for topic in registry.topics
    ]
    try:
        return str(start(settings, registry, options, sources, more).get_job_id())
    except (Py4JJavaError, JavaException) as error:
        raise UserError(explain(str(error))) from error


def readers(registry: Registry, topic: str, topic_id: str, settings: Settings) -> tuple[SourceGroup, ...]:
    """The groups that read a topic, each with its epoch."""
    groups = registry.of_topic(topic)
    return tuple(SourceGroup(topic, group.name, epoch(topic_id, group, settings)) for group in groups)


def check_redis(settings: Settings, registry: Registry) -> None:
    """Make sure that Redis answers, and that its features are the job's to write.

    Raises:
        UserError: they are not.
    """
    store = connect(settings, Runtime.JOB)
    store.check_writer(registry.names)
    store.close()


def check_retention(settings: Settings, registry: Registry, if_log_lost: IfDeleted) -> None:
    """Make sure that Kafka still has what comes after the job's last checkpoint.

    Raises:
        RecordsDeleted: it has not, and nobody has decided to go on.
    """
    of_job = settings.model_copy(update={"consumer_group": consumer_group(settings)})
    deleted = [
        each
        for topic in registry.topics
        for each in deleted_records(topic, committed_offsets(of_job, topic), beginning_offsets(settings, topic))
    ]
    if deleted and if_log_lost is IfDeleted.REFUSE:
        raise RecordsDeleted(
            deleted, "Go on with what there is with --if-log-lost continue, or start without SAVEPOINT to begin anew."
        )
    for each in deleted:
        _logger.warning("Kafka deleted records before they were processed; going on without them", gone=str(each))


def run_here(
    settings: Settings,
    registry: Registry,
    options: JobOptions,
    rest_port: int,
    until_caught_up: bool,
    console: Terminal,
) -> None:
    """Run the job on a Flink in this process, until Ctrl-C or until it has caught up; it ends with a savepoint.

    Raises:
        UserError: it cannot be started, or failed for good.
    """
    stop = StopRequest()
    rest = FlinkRest(f"localhost:{rest_port}")
    require_free(settings, rest_port)
    until = log_ends_before(settings, registry) if until_caught_up else None
    if options.savepoint is None:
        _logger.warning("No SAVEPOINT given: the log is read from its beginning, and every result is written again")
    # On a Flink of its own PyFlink would run "processes" as threads of this one.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112
    try:
        job = start_job(settings, registry, options, configuration(settings, rest_port))
        _logger.info("Job started", job=job, web_ui=rest.url, mode=options.mode, parallelism=options.parallelism)
        follow(rest, job, settings, registry, until, stop, console)
        if job in rest.running_jobs():
            where = take_savepoint(rest, job, options.state_directory, stop=True)
            console.say(f"Stopped with a savepoint. Continue from it: {resume_line(where)}")
    finally:
        end_flink()


def take_savepoint(rest: FlinkRest, job: str, state_directory: str, *, stop: bool) -> str:
    """Take a savepoint of a job, and stop it if wanted; return where that lies.

    Raises:
        UserError: the job is restarting, so there can be none; it says why, and what state can be continued from.
    """
    try:
        return rest.savepoint(job, f"{state_directory}/savepoints", stop=stop)
    except TasksDoNotRun as refusal:
        newest = rest.newest_checkpoint(job)
        state = "It has no checkpoint yet" if newest is None else f"Continue from its newest one: {resume_line(newest)}"
        raise UserError(f"{refusal} Last failure: {last_failure(rest, job)}. {state}") from None


def last_failure(rest: FlinkRest, job: str) -> str:
    """Why a job failed last, in one line."""
    return root_cause(rest.root_exception(job) or "Flink does not say why")


def log_ends_before(settings: Settings, registry: Registry) -> Offsets:
    """The ends of the source partitions before the job starts, creating topics that are missing."""
    prepare(settings, registry)
    return record_ends_of_all(settings, registry)


def follow(
    rest: FlinkRest,
    job: str,
    settings: Settings,
    registry: Registry,
    until: Offsets | None,
    stop: StopRequest,
    console: Terminal,
) -> None:
    """Show how a job is doing until it has reached some offsets, has ended, or Ctrl-C.

    Raises:
        UserError: it failed for good.
    """
    with JobStatusLine(console) as line:

        def show(snapshot: JobSnapshot) -> None:
            line.show(snapshot, rest.restarts(job), rest.checkpoints(job), lambda: last_failure(rest, job))

        watch(rest, job, settings, registry, until, lambda: stop.requested, show)


@app.command(
    epilog="Examples:\n\n`twinstream flink run --savepoint latest`\n\n"
    "`twinstream flink run --features shop/features.py --mode process --parallelism 2`\n\n"
    "`env FLINK_CLUSTER=localhost:8081 twinstream flink run --parallelism 4`"
)
def main(
    features: Features = None,
    kafka_servers: Annotated[str | None, typer.Option(help="Kafka brokers, host:port.")] = None,
    consumer_group: Annotated[str | None, typer.Option(help="Namespace of the state in Redis.")] = None,
    output_prefix: Annotated[str | None, typer.Option(help="Put before the names of output topics.")] = None,
    redis_db: Annotated[int | None, typer.Option(help="Redis database number.")] = None,
    mode: Annotated[str, typer.Option(help="Where Python runs: thread or process.", envvar="FLINK_MODE")] = "thread",
    parallelism: Annotated[int, typer.Option(help="Subtasks.", min=1, max=128, envvar="FLINK_PARALLELISM")] = 1,
    batch_interval_ms: Annotated[
        int, typer.Option(help="How long records are collected, in ms.", min=1, max=10_000)
    ] = BATCH_INTERVAL_MS,
    state_directory: Annotated[
        str | None, typer.Option(help="URL for checkpoints and savepoints.", envvar="FLINK_STATE_DIRECTORY")
    ] = None,
    savepoint: Annotated[
        str | None,
        typer.Option(help="Savepoint or checkpoint to continue from, or latest.", envvar="SAVEPOINT"),
    ] = None,
    rest_port: Annotated[int, typer.Option(help="Port of the web UI.", envvar="FLINK_UI_PORT")] = 8081,
    until_caught_up: Annotated[bool, typer.Option("--until-caught-up", help="End at the log's present end.")] = False,
    if_log_lost: Annotated[
        IfDeleted, typer.Option(help="What to do when Kafka has deleted what comes after the savepoint.")
    ] = IfDeleted.REFUSE,
) -> None:
    """Compute features from Kafka into Redis with Flink until Ctrl-C."""
    console = Terminal()
    submitted = "PYFLINK_GATEWAY_PORT" in os.environ  # set by `flink run`
    if not submitted:
        require_libraries()
    if mode not in ("thread", "process"):
        raise UserError(f"FLINK_MODE is {mode!r}; expected thread or process.")
    settings = load_settings(
        features=features,
        kafka_servers=kafka_servers,
        consumer_group=consumer_group,
        output_prefix=output_prefix,
        redis_db=redis_db,
    )
    configure_logging(settings.log_level)
    where: Mode = "thread" if mode == "thread" else "process"
    directory = flink_path(state_directory or str(Path.cwd() / ".run" / "flink" / "state"))
    found = newest_savepoint(directory) if savepoint == "latest" else flink_path(savepoint) if savepoint else None
    options = JobOptions(directory, where, parallelism, batch_interval_ms, found)
    registry = load_registry(settings.features)
    check_redis(settings, registry)
    if found is not None:
        check_retention(settings, registry, if_log_lost)
    if submitted:
        console.print(f"Job started: {start_job(settings, registry, options, {})}")
    else:
        run_here(settings, registry, options, rest_port, until_caught_up, console)


def run_from_command_line(program: str = "twinstream flink run") -> None:
    """Start the job with the arguments of the command line; `program` is what the user has typed before them."""
    run_command(app, program, told=(UserError, LogError, StoreError))


_logger = get_logger(__name__)
