"""Which key group Flink gives a key, as Flink itself says, in the process that starts the job."""

from typing import Any

from pyflink.java_gateway import get_gateway

from twinstream.job.key_groups import MAX_PARALLELISM, KeyGroup


def stage_key_group() -> KeyGroup:
    """Of a DataStream that is keyed by a row of the key."""
    gateway = get_gateway()
    # A name is resolved by asking Java, so each is resolved once.
    row_of, assign = gateway.jvm.org.apache.flink.types.Row.of, _assign()
    fields = gateway.new_array(gateway.jvm.Object, 1)

    def key_group(key: str) -> int:
        fields[0] = key
        return int(assign(row_of(fields), MAX_PARALLELISM))

    return key_group


def window_key_group() -> KeyGroup:
    """Of `GROUP BY key` in Flink's SQL."""
    data: Any = get_gateway().jvm.org.apache.flink.table.data
    text_of, assign = data.StringData.fromString, _assign()
    row = data.binary.BinaryRowData(1)
    writer = data.writer.BinaryRowWriter(row)

    def key_group(key: str) -> int:
        writer.reset()
        writer.writeString(0, text_of(key))
        writer.complete()
        return int(assign(row, MAX_PARALLELISM))

    return key_group


def _assign() -> Any:
    return get_gateway().jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup
