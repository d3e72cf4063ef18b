"""What is kept in state of each record."""

from typing import Protocol


class RetainedEvent(Protocol):
    """A record as it is kept in state: a struct of integers and identifiers, as many as the features need.

    Attributes:
        time_ms: event time, epoch ms.
        offset: of the record in its source partition; events of one time are in its order.
        id: tells the event from others of the same time.
    """

    @property
    def time_ms(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def id(self) -> str: ...
