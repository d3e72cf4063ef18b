"""The job as Flink sees it: SQL source → SQL micro-batches → the keyed Python stage → SQL sink."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import DataStream, KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment, TableResult
from pyflink.util.java_utils import get_j_env_configuration

from twinstream.job import sql
from twinstream.job.key_groups import PLANNED_PARTITIONS, slot_numbers
from twinstream.job.keyed_partition import LAYOUT
from twinstream.job.options import (
    JobOptions,
    Mode,
    consumer_properties,
    job_configuration,
    producer_properties,
    transactional_id_prefix,
)
from twinstream.job.stage import KEY, KEYED_BATCH, OUTPUT, FeatureStage
from twinstream.log.topics import Topic, output_topics
from twinstream.registry import Registry
from twinstream.settings import Settings


def start(
    settings: Settings,
    registry: Registry,
    options: JobOptions,
    sources: Mapping[str, int],
    epochs: Mapping[str, str],
    more: Mapping[str, str],
    producer_timed: Sequence[str],
) -> TableResult:
    """Build the job and start it, on the cluster that `flink run` names or else on one in this process.

    Args:
        settings: everything configurable.
        registry: what is computed.
        options: how to run.
        sources: the source topics and their numbers of partitions, in an order that never changes.
        epochs: of the source topics.
        more: configuration of the place where it runs.
        producer_timed: the source topics whose records are not stamped by the broker.
    """
    outputs = output_topics(registry, settings.output_prefix)
    stage = FeatureStage(settings, registry.source, dict(epochs), dict(sources), tuple(producer_timed))
    return build_and_start(settings, options, sources, outputs, more, stage, stage_uid(epochs, options.mode))


def build_and_start(
    settings: Settings,
    options: JobOptions,
    sources: Mapping[str, int],
    outputs: Sequence[Topic],
    more: Mapping[str, str],
    stage: KeyedProcessFunction,
    uid: str,
) -> TableResult:
    """The same around any keyed stage."""
    tables, streams = environment(job_configuration(settings, options) | dict(more))
    tables.execute_sql(sql.source_table(sources, consumer_properties(settings)))
    tables.execute_sql(sql.slotted_view(slot_numbers(list(sources), PLANNED_PARTITIONS)))
    batches = tables.to_data_stream(tables.sql_query(sql.micro_batches(options.batch_interval_ms)))
    results = _keyed_stage(streams, batches, stage).uid(uid).name("features")
    schema = Schema.new_builder().column("output_topic", "STRING").column("records", "ARRAY<ARRAY<BYTES>>").build()
    tables.create_temporary_view(sql.OUTPUT, tables.from_data_stream(results, schema))
    topics = [topic.name for topic in outputs]
    tables.execute_sql(sql.sink_table(topics, transactional_id_prefix(settings), producer_properties(settings)))
    return tables.create_statement_set().add_insert_sql(sql.INSERT).execute()


def stage_uid(epochs: Mapping[str, str], mode: Mode) -> str:
    """The name under which a savepoint keeps the stage's state.

    It holds everything the state depends on: how events and states are laid out, the windows' rules and the lives of
    the topics. So a savepoint of another epoch has no state for this job, and Flink refuses it before anything runs.
    The mode is in it because PyFlink writes keyed state differently in each, and finds none at all, silently, in what
    the other wrote.
    """
    return "features-" + sha256("\n".join([mode, str(LAYOUT), *sorted(epochs.values())]).encode()).hexdigest()[:16]


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
    """`batches.key_by(slot).process(stage)`, where the SQL has made the key already.

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
