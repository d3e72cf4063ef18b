"""The SQL around the keyed stage: records in, micro-batches, records out.

Flink runs this natively, so only whole micro-batches cross from Java to Python, and what waits in a window that is
still open is part of every checkpoint.
"""

from collections.abc import Iterable, Mapping

SOURCE = "source_records"
SLOTTED = "slotted_records"
OUTPUT = "output_records"
SINK = "output_topics"

UNKNOWN_PARTITION = 1_000_000
"""Slot numbers from here on are of partitions beyond those that were planned for."""


def source_table(topics: Iterable[str], consumer: Mapping[str, str]) -> str:
    """The source topics as one table of raw records, with where each stood in its log."""
    return f"""
        CREATE TEMPORARY TABLE {SOURCE} (
          record_key BYTES,
          record_value BYTES,
          source_topic STRING METADATA FROM 'topic' VIRTUAL,
          source_partition INT METADATA FROM 'partition' VIRTUAL,
          source_offset BIGINT METADATA FROM 'offset' VIRTUAL,
          stamped TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
          stamped_as STRING METADATA FROM 'timestamp-type' VIRTUAL,
          read_at AS PROCTIME()
        ) WITH (
          'connector' = 'kafka',
          'topic' = {_quoted(";".join(topics))},
          'scan.startup.mode' = 'earliest-offset',
          'scan.topic-partition-discovery.interval' = '60 s',
          {_RAW},
          {_options("properties.", consumer)}
        )"""


def slotted_view(slots: Mapping[tuple[str, int], int]) -> str:
    """Each record with the slot number of its partition, its timestamp in epoch ms, and whether the broker set that."""
    topics = list(dict.fromkeys(topic for topic, _ in slots))
    cases = "\n".join(f"WHEN {_quoted(topic)} THEN {_slot_of(topics, topic, slots)}" for topic in topics)
    return f"""
        CREATE TEMPORARY VIEW {SLOTTED} AS
        SELECT
          CASE source_topic {cases} END AS slot,
          source_topic, source_partition, source_offset,
          EXTRACT(EPOCH FROM stamped) * 1000 + EXTRACT(MILLISECOND FROM stamped) AS stamped_ms,
          stamped_as = 'LogAppendTime' AS append_timed,
          record_key, record_value, read_at
        FROM {SOURCE}"""


def micro_batches(interval_ms: int) -> str:
    """The records of one partition that came within an interval, as one row: its key and arrays in offset order."""
    return f"""
        SELECT slot, ROW(source_topic, source_partition, offsets, timestamps, record_keys, record_values, append_timed)
        FROM (
          SELECT
            slot, MAX(source_topic) AS source_topic, MAX(source_partition) AS source_partition,
            ARRAY_AGG(source_offset) AS offsets, ARRAY_AGG(stamped_ms) AS timestamps,
            ARRAY_AGG(record_key) AS record_keys, ARRAY_AGG(record_value) AS record_values,
            ARRAY_AGG(append_timed) AS append_timed
          FROM TABLE(TUMBLE(TABLE {SLOTTED}, DESCRIPTOR(read_at), INTERVAL '{interval_ms / 1000:.3f}' SECOND(1, 3)))
          GROUP BY slot, window_start, window_end
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

_RAW = """'key.format' = 'raw', 'key.fields' = 'record_key',
          'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'"""


def _slot_of(topics: list[str], topic: str, slots: Mapping[tuple[str, int], int]) -> str:
    """The slot number of a topic's partition, as an expression."""
    known = " ".join(f"WHEN {number} THEN {slot}" for (of, number), slot in slots.items() if of == topic)
    added = f"{UNKNOWN_PARTITION + topics.index(topic)} + {len(topics)} * source_partition"
    return f"CASE source_partition {known} ELSE {added} END"


def _options(prefix: str, options: Mapping[str, str]) -> str:
    return ", ".join(f"{_quoted(prefix + name)} = {_quoted(value)}" for name, value in options.items())


def _quoted(text: str) -> str:
    """A string literal of SQL.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
