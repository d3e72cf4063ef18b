"""Whether features can be served, and how far behind they are, as far as the store alone can tell.

Features of a group that no worker ever wrote, or that the store has lost, would all be answered as absent; so the
service is not ready then.

The store knows the newest event time that each partition's worker has got to, and not where the log ends. So a source
without events and a worker that stands still look alike here; `twinstream_consumer_lag` of the worker tells them apart.
"""

from collections.abc import Sequence

import msgspec

from twinstream.core.feature_group import FeatureGroup
from twinstream.online.contract import AsyncOnlineReader, Partition, Recorded
from twinstream.online.epoch import is_of
from twinstream.registry import Registry
from twinstream.settings import Settings

PARTITIONS_IN_A_LOOK = 64
"""Partitions that are asked for in one round trip. They are numbered from 0, so the first look mostly has all."""


class PartitionProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition's worker has got: the next offset, and its newest event time (epoch ms); null before any."""

    partition: int
    next_offset: int | None
    newest_event_time: int | None


class GroupProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a group's workers have got.

    Attributes:
        behind_ms: from the newest event of all partitions to now; null when no event has been processed.
        partitions: those that a worker has claimed.
    """

    behind_ms: int | None
    partitions: list[PartitionProgress]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/readyz`: whether and, if not, why not; and by group how far its workers have got."""

    ready: bool
    reasons: list[str]
    groups: dict[str, GroupProgress]


async def readiness(store: AsyncOnlineReader, registry: Registry, settings: Settings, now_ms: int) -> Readiness:
    """Look at the store.

    Raises:
        StoreUnavailable: it does not answer.
    """
    reasons: list[str] = []
    groups: dict[str, GroupProgress] = {}
    for group in registry:
        recorded = await _recorded(store, group)
        groups[group.name] = progress = _progress(recorded, now_ms)
        if not recorded:
            reasons.append(f"No worker has claimed a partition of {group.topic}, so nothing of {group.name} is known.")
        if any(not is_of(each.epoch, group, settings) for _, each in recorded):
            reasons.append(
                f"The {group.name} states are of other definitions or other window settings than this service has."
            )
        limit_s = settings.serving_max_behind_seconds
        if limit_s is not None and (progress.behind_ms is None or progress.behind_ms > limit_s * 1_000):
            reasons.append(f"The newest {group.name} event is older than {limit_s} s, or there is none.")
    return Readiness(ready=not reasons, reasons=reasons, groups=groups)


async def _recorded(store: AsyncOnlineReader, group: FeatureGroup) -> Sequence[tuple[int, Recorded]]:
    found: list[tuple[int, Recorded]] = []
    start = 0
    while True:
        numbers = range(start, start + PARTITIONS_IN_A_LOOK)
        seen = await store.progress([Partition(group.topic, number, group.name) for number in numbers])
        found += [(number, each) for number, each in zip(numbers, seen, strict=True) if each is not None]
        if seen[-1] is None:
            return found
        start += PARTITIONS_IN_A_LOOK


def _progress(recorded: Sequence[tuple[int, Recorded]], now_ms: int) -> GroupProgress:
    partitions = [
        PartitionProgress(
            partition=number,
            next_offset=None if each.progress is None else each.progress.next_offset,
            newest_event_time=None if each.progress is None else each.progress.lateness.newest_ms,
        )
        for number, each in recorded
    ]
    times = [each.newest_event_time for each in partitions if each.newest_event_time is not None]
    return GroupProgress(behind_ms=now_ms - max(times) if times else None, partitions=partitions)
