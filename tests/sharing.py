"""Groups that read the transactions together: the reference one, one that decodes alike, and a stricter one."""

from features.events import Payment, Transaction
from features.transaction import decode, transaction_features
from twinstream import Family, FeatureGroup, Rejected, Window

counting: Family[Window[Payment]] = Family("counting")


@counting.feature(unit="events", meaning="Payments of the card in the window.")
def payments(window: Window[Payment]) -> int:
    return window.count


def only_euros(value: bytes | None, offset: int) -> tuple[str, Payment]:
    """As the reference decodes, but nothing in other currencies.

    Raises:
        Rejected: `malformed` or `schema`.
    """
    if b'"EUR"' not in (value or b""):
        raise Rejected("schema", "not in euros")
    return decode(value, offset)


counts_features = FeatureGroup(
    name="counts",
    version=1,
    topic="transactions",
    entity="card_id",
    time="event_time",
    id="transaction_id",
    wire_type=Transaction,
    event_type=Payment,
    decode=decode,
    window=Window,
    families=(counting,),
)

euros_features = FeatureGroup(
    name="euros",
    version=1,
    topic="transactions",
    entity="card_id",
    time="event_time",
    id="transaction_id",
    wire_type=Transaction,
    event_type=Payment,
    decode=only_euros,
    window=Window,
    families=(counting,),
)

__all__ = ["transaction_features", "counts_features", "euros_features"]  # noqa: RUF022 the order of the groups
