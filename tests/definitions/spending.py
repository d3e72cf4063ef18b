"""A second group over the transactions, with the decoder of the first."""

from features.events import Payment, Transaction
from features.payments import PaymentWindow
from features.transaction import decode
from features.velocity import velocity
from twinstream import FeatureGroup, truncation

spending = FeatureGroup(
    name="spending",
    version=1,
    topic="transactions",
    entity="card_id",
    time="event_time",
    id="transaction_id",
    wire_type=Transaction,
    event_type=Payment,
    decode=decode,
    window=PaymentWindow,
    families=(velocity, truncation),
)
