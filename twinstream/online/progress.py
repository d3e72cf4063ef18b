"""What anyone can ask of a partition's progress without a claim."""

from twinstream.online.contract import OnlineReader, Partition, Progress


def has_lost(store: OnlineReader, partition: Partition, epoch: str, reached: Progress) -> bool:
    """Whether a store has less of a partition than it had; not so when it has what another epoch wrote.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    recorded = store.progress(partition)
    if recorded is not None and recorded.epoch != epoch:
        return False
    progress = None if recorded is None else recorded.progress
    return (0 if progress is None else progress.next_offset) < reached.next_offset
