"""What can go wrong between a worker and the online store."""


class StoreError(Exception):
    """The online store did not do what it was asked to."""


class StoreUnavailable(StoreError):
    """Redis is away, loading, full or busy: back off and try the same call again."""


class StoreMismatch(StoreError):
    """Redis does not hold what this worker last wrote: it lost something, or another worker owns the partition.

    The worker has to discard what it knows of its partitions and recover.
    """
