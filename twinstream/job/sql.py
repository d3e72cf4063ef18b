"""The SQL around the keyed stage: records in, micro-batches, records out.

Flink runs this natively, so only whole micro-batches cross from Java to Python, and what waits in a window that is
still open is part of every checkpoint.
"""

from collections.abc import Iterable, Mapping, Sequence

from twinstream.job.sources import SourceTopic

RECORDS = "source_records"
OUTPUT = "output_records"
SINK = "output_topics"


def source_name(topic: str) -> str:
    """The name of the table of a topic; the operator that reads it has the same."""
    return f"source_{topic}"


def source_table(topic: str, consumer: Mapping[str, str]) -> str:
    """A source topic as a table of raw records, with where each stood in its log."""
    return f"""
        CREATE TEMPORARY TABLE `{source_name(topic)}` (
          record_key BYTES,
          record_value BYTES,
          source_partition INT METADATA FROM 'partition' VIRTUAL,
          source_offset BIGINT METADATA FROM 'offset' VIRTUAL,
          stamped TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
          stamped_as STRING METADATA FROM 'timestamp-type' VIRTUAL
        ) WITH (
          'connector' = 'kafka',
          'topic' = {_quoted(topic)},
          'scan.startup.mode' = 'earliest-offset',
          'scan.topic-partition-discovery.interval' = '60 s',
          {_RAW},
          {_options("properties.", consumer)}
        )"""


def records_view(keys: Mapping[SourceTopic, Sequence[str]]) -> str:
    """The records of all source topics, each with its partition's key for the window, its timestamp in epoch ms, and
    whether the broker set that.

    Args:
        keys: of each topic's planned partitions, by number.
    """
    every = "\nUNION ALL\n".join(_records_of(source, planned) for source, planned in keys.items())
    return f"CREATE TEMPORARY VIEW {RECORDS} AS SELECT *, PROCTIME() AS read_at FROM ({every})"


def _records_of(source: SourceTopic, keys: Sequence[str]) -> str:
    planned = " ".join(f"WHEN {number} THEN {_quoted(key)}" for number, key in enumerate(keys))
    added = f"CONCAT({_quoted(source.reading + '.')}, CAST(source_partition AS STRING))"  # as `PartitionKey.text`
    return f"""
        SELECT
          CASE source_partition {planned} ELSE {added} END AS window_key, source_offset,
          EXTRACT(EPOCH FROM stamped) * 1000 + EXTRACT(MILLISECOND FROM stamped) AS stamped_ms,
          stamped_as = 'LogAppendTime' AS append_timed, record_key, record_value
        FROM `{source_name(source.name)}`"""


def micro_batches(interval_ms: int, stage_keys: Mapping[str, str], sources: Iterable[SourceTopic]) -> str:
    """The records of one partition that came within an interval, as one row: its key and arrays in offset order.

    Args:
        interval_ms: how long records are collected.
        stage_keys: the stage's key for each of the window's that was planned.
        sources: of whose other partitions the key begins with another name for the stage. What is of none of them, of
            a reading that an earlier job left, stays as it is.
    """
    planned = " ".join(f"WHEN {_quoted(window)} THEN {_quoted(stage)}" for window, stage in stage_keys.items())
    added = " ".join(
        f"WHEN {_quoted(source.reading)} THEN CONCAT({_quoted(source.id)}, SUBSTRING(window_key FROM {_AFTER_NAME}))"
        for source in sources
    )
    return f"""
        SELECT
          CASE window_key {planned}
            ELSE CASE SPLIT_INDEX(window_key, '.', 0) {added} ELSE window_key END
          END,
          ROW(offsets, timestamps, record_keys, record_values, append_timed)
        FROM (
          SELECT
            window_key, ARRAY_AGG(source_offset) AS offsets, ARRAY_AGG(stamped_ms) AS timestamps,
            ARRAY_AGG(record_key) AS record_keys, ARRAY_AGG(record_value) AS record_values,
            ARRAY_AGG(append_timed) AS append_timed
          FROM TABLE(TUMBLE(TABLE {RECORDS}, DESCRIPTOR(read_at), INTERVAL '{interval_ms / 1000:.3f}' SECOND(1, 3)))
          GROUP BY window_key, window_start, window_end
        )"""


def sink_table(topics: Iterable[str], transactional_id_prefix: str, producer: Mapping[str, str]) -> str:
    """All output topics as one table; a row says which topic it goes to.

    Kafka's own partitioner hashes the key, so a record of an entity gets the partition number that its events have.
    """
    return f"""
        CREATE TEMPORARY TABLE {SINK} (
          record_key BYTES,
          record_value BYTES,
          output_topic STRING METADATA FROM 'topic'
        ) WITH (
          'connector' = 'kafka',
          'topic' = {_quoted(";".join(topics))},
          'sink.delivery-guarantee' = 'exactly-once',
          'sink.transactional-id-prefix' = {_quoted(transactional_id_prefix)},
          'sink.transaction-naming-strategy' = 'pooling',
          {_RAW},
          {_options("properties.", producer)}
        )"""


INSERT = f"""
    INSERT INTO {SINK}
    SELECT written[1], written[2], output_topic
    FROM {OUTPUT} CROSS JOIN UNNEST(records) AS results (written)"""

_AFTER_NAME = 13
"""Where in a key the first dot is, behind twelve digits; SQL counts from 1."""

_RAW = """'key.format' = 'raw', 'key.fields' = 'record_key',
          'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'"""


def _options(prefix: str, options: Mapping[str, str]) -> str:
    return ", ".join(f"{_quoted(prefix + name)} = {_quoted(value)}" for name, value in options.items())


def _quoted(text: str) -> str:
    """A string literal of SQL.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
