"""The job as Flink sees it: SQL source → SQL micro-batches → the keyed Python stage → SQL sink."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyflink.common import Configuration, JobClient
from pyflink.datastream import DataStream, KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from twinstream.job import sql
from twinstream.job.distribution import files_to_ship
from twinstream.job.flink_key_groups import stage_key_group, window_key_group
from twinstream.job.key_groups import stage_keys, window_keys
from twinstream.job.keyed_partition import LAYOUT
from twinstream.job.loaded import digests
from twinstream.job.options import (
    JobOptions,
    Mode,
    consumer_properties,
    job_configuration,
    producer_properties,
    transactional_id_prefix,
)
from twinstream.job.savepoint import continue_from, operators_in
from twinstream.job.sources import SourceTopic
from twinstream.job.stage import KEY, KEYED_BATCH, OUTPUT, FeatureStage
from twinstream.log.topics import Topic, output_topics
from twinstream.registry import Registry
from twinstream.settings import Settings

UID_OF_WINDOW = f"micro-batches-{LAYOUT}"
"""Names the operator that keeps the windows that are still open."""

UID_OF_SINK = "output"


def start(
    settings: Settings,
    registry: Registry,
    options: JobOptions,
    sources: Sequence[SourceTopic],
    more: Mapping[str, str],
) -> JobClient:
    """Build the job and start it, on the cluster that `flink run` names or else on one in this process.

    Args:
        settings: everything configurable.
        registry: what is computed.
        options: how to run.
        sources: the source topics.
        more: configuration of the place where it runs.

    Raises:
        UserError: the savepoint is none that the job can continue from.
    """
    uid = stage_uid(options.mode)
    if options.savepoint is not None:
        plan = continue_from(options.savepoint, operators_in(options.savepoint), sources, {uid, UID_OF_WINDOW})
        sources, more = plan.sources, {**more, **plan.configuration}
    outputs = output_topics(registry, settings.output_prefix)
    brought = digests(files_to_ship(registry))
    stage = FeatureStage(settings, registry.source, tuple(sources), brought)
    return build_and_start(settings, options, sources, outputs, more, stage, uid)


def build_and_start(
    settings: Settings,
    options: JobOptions,
    sources: Sequence[SourceTopic],
    outputs: Sequence[Topic],
    more: Mapping[str, str],
    stage: KeyedProcessFunction,
    uid: str,
) -> JobClient:
    """The same around any keyed stage."""
    configuration = job_configuration(settings, options) | dict(more)
    tables, streams = environment(configuration)
    for source in sources:
        tables.execute_sql(sql.source_table(source.name, consumer_properties(settings, source.name)))
    of_window, of_stage = window_key_group(), stage_key_group()
    of_windows = {source: window_keys(source, of_window) for source in sources}
    tables.execute_sql(sql.records_view(of_windows))
    pairs = {
        window: key
        for source in sources
        for window, key in zip(of_windows[source], stage_keys(source, of_stage), strict=True)
    }
    batches = tables.to_data_stream(tables.sql_query(sql.micro_batches(options.batch_interval_ms, pairs, sources)))
    results = _keyed_stage(streams, batches, stage).uid(uid).name("features")
    schema = Schema.new_builder().column("output_topic", "STRING").column("records", "ARRAY<ARRAY<BYTES>>").build()
    tables.create_temporary_view(sql.OUTPUT, tables.from_data_stream(results, schema))
    topics = [topic.name for topic in outputs]
    tables.execute_sql(sql.sink_table(topics, transactional_id_prefix(settings), producer_properties(settings)))
    tables.create_statement_set().add_insert_sql(sql.INSERT).attach_as_datastream()
    uids = {sql.source_name(source.name): source.uid for source in sources}
    _name_operators(streams, uids | {"WindowAggregate": UID_OF_WINDOW, sql.SINK: UID_OF_SINK})
    return streams.execute_async(configuration["pipeline.name"])


def stage_uid(mode: Mode) -> str:
    """The name under which a savepoint keeps the stage's state.

    It holds how keyed state is laid out. The mode is in it because PyFlink writes keyed state differently in each, and
    finds none at all, silently, in what the other wrote.
    """
    return f"features-{mode}-{LAYOUT}"


def _name_operators(streams: StreamExecutionEnvironment, uids: Mapping[str, str]) -> None:
    """Give the operators that SQL has made, and that keep state, uids by what they are.

    Those that Flink generates count the operators before them, and so change with the number of source topics.

    Args:
        streams: has all operators.
        uids: by the names of the operators, which Flink writes as `name[number]`.
    """
    named = set()
    remaining = list(streams._j_stream_execution_environment.getTransformations())
    while remaining:
        operator = remaining.pop()
        remaining.extend(operator.getInputs())
        name = str(operator.getName()).split("[")[0]
        if name in uids:
            operator.setUid(uids[name])
            named.add(name)
    assert named == uids.keys(), f"Flink has no operators named {uids.keys() - named}"


def environment(configuration: Mapping[str, str]) -> tuple[StreamTableEnvironment, StreamExecutionEnvironment]:
    """Flink's two entrances to one job, so configured."""
    flink = Configuration()
    for name, value in configuration.items():
        flink.set_string(name, value)
    streams = StreamExecutionEnvironment.get_execution_environment(flink)
    tables = StreamTableEnvironment.create(streams)
    for name, value in configuration.items():
        if name.startswith("table."):
            tables.get_config().set(name, value)
    return tables, streams


def _keyed_stage(streams: StreamExecutionEnvironment, batches: DataStream, stage: KeyedProcessFunction) -> DataStream:
    """`batches.key_by(key).process(stage)`, where the SQL has made the key already.

    PyFlink's own `key_by` takes a Python function, and so would send every batch to Python and back once more. What is
    called here is what it calls, behind that step.
    """
    java: Any = get_gateway().jvm
    function = _create_j_data_stream_python_function_info(stage, UserDefinedDataStreamFunction.KEYED_PROCESS)
    configuration = get_j_env_configuration(streams._j_stream_execution_environment)
    in_thread = configuration.toMap().get("python.execution-mode") == "thread"
    kind = java.EmbeddedPythonKeyedProcessOperator if in_thread else java.ExternalPythonKeyedProcessOperator
    output = OUTPUT.get_java_type_info()
    operator = kind(configuration, function, KEYED_BATCH.get_java_type_info(), output)
    keyed = batches._j_data_stream.keyBy(java.KeyByKeySelector(), KEY.get_java_type_info())
    return DataStream(keyed.transform("features", output, operator))
