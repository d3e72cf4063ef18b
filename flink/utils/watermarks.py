"""Event time in this project: the watermark of a partition, and what is too late.

The rule is `LatenessRule` in `twinstream/core/lateness.py`; the Kafka loop and the PyFlink job both call it for each
record. It is shown here, since this is where one looks for it:

    watermark = newest event time so far in the partition - allowed lateness (ALLOWED_LATENESS_SECONDS)

A record whose event time is before the watermark is late: it goes to the dead letters of its topic, with the watermark
that it met. Three payments, the third out of order within the allowed 30 seconds, and one that is too late:

>>> rule = LatenessRule(allowed_lateness_ms=30_000, max_future_skew_ms=30_000)
>>> for seconds in (100, 160, 131):
...     rule.observe(event_time_ms=seconds * 1_000, timestamp_ms=160_000)
>>> rule.watermark_ms
130000
>>> rule.observe(event_time_ms=129_000, timestamp_ms=161_000)
Traceback (most recent call last):
twinstream.core.rejection.Rejected: late: 1000 ms older than the watermark

Flink's own watermarks are not used. They depend on when records happen to be read together and on other partitions, so
that two runs over one log would set other records aside. This rule depends on the records before in the same partition
only, so the loop, the job, a restart and a replay of a file decide alike. `StudyDoc.md` has a chapter on it.
"""

from twinstream.core.lateness import BEGINNING_MS, LatenessRule

__all__ = ["BEGINNING_MS", "LatenessRule"]
