"""What can go wrong between a worker and the online store."""

from twinstream.online.contract import Claim


class StoreError(Exception):
    """The online store did not do what it was asked to."""


class StoreUnavailable(StoreError):
    """The store is away, loading, full or busy: back off and try the same call again."""


class StoreMismatch(StoreError):
    """The store does not hold what this worker last wrote: it lost something, or another worker owns the partition.

    The worker has to discard what it knows of its partitions and recover.
    """


def taken_over(claim: Claim) -> StoreMismatch:
    """What a store raises for a claim that does not hold any more."""
    return StoreMismatch(f"{claim.partition} has been taken over by another worker, or the store has lost it")
