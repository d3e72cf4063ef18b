"""A third group over the transactions, with a decoder of its own: it refuses all but US dollars."""

from features.events import Payment, Transaction
from features.payments import PaymentWindow
from features.transaction import decode
from features.velocity import velocity
from twinstream import FeatureGroup, Rejected


def decode_dollars(value: bytes | None, offset: int) -> tuple[str, Payment]:
    """The card and its transaction, if it is in US dollars."""
    card, payment = decode(value, offset)
    if payment.currency != "USD":
        raise Rejected("schema", "not in US dollars - at `$.currency`")
    return card, payment


domestic = FeatureGroup(
    name="domestic",
    version=1,
    topic="transactions",
    entity="card_id",
    time="event_time",
    id="transaction_id",
    wire_type=Transaction,
    event_type=Payment,
    decode=decode_dollars,
    window=PaymentWindow,
    families=(velocity,),
)
