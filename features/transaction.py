"""Features of a card, from its transactions."""

from decimal import Decimal

from features.distances import microdegrees
from features.events import Payment, Transaction
from features.geo import geo
from features.money import to_minor
from features.payments import PaymentWindow
from features.risk import risk
from features.velocity import velocity
from twinstream import (
    Decoder,
    FeatureGroup,
    Rejected,
    Scoring,
    check_amount,
    check_code,
    check_digits,
    check_id,
    check_ip_address,
    epoch_ms,
    truncation,
)

_decoder = Decoder(Transaction)


def decode(value: bytes | None, offset: int) -> tuple[str, Payment]:
    """The card and its transaction as kept in state.

    Raises:
        Rejected: `malformed` or `schema`.
    """
    record = _decoder.decode(value)
    currency = check_code(record.currency, "currency")
    amount = record.amount
    if type(amount) is not Decimal:
        amount = check_amount(amount, "amount")
    try:
        amount_minor = to_minor(amount, currency)
    except ValueError as fault:
        raise Rejected("schema", f"{fault} - at `$.amount`") from None
    if record.card_last4 is not None:
        check_digits(record.card_last4, "card_last4")
    if record.ip_address is not None:
        check_ip_address(record.ip_address, "ip_address")
    return check_id(record.card_id, "card_id"), Payment(
        time_ms=epoch_ms(record.event_time, "event_time"),
        offset=offset,
        id=check_id(record.transaction_id, "transaction_id"),
        amount_minor=amount_minor,
        currency=currency,
        declined=record.auth_result == "declined",
        merchant=record.merchant_id,
        country=None if record.country is None else check_code(record.country, "country"),
        device=record.device_id,
        place=None
        if record.latitude is None or record.longitude is None
        else (microdegrees(record.latitude), microdegrees(record.longitude)),
    )


transaction_features = FeatureGroup(
    name="transaction",
    version=1,
    topic="transactions",
    entity="card_id",
    time="event_time",
    id="transaction_id",
    wire_type=Transaction,
    event_type=Payment,
    decode=decode,
    window=PaymentWindow,
    families=(velocity, geo, risk, truncation),
    scoring=Scoring("risk_score", label="label_fraud", baseline="amount", baseline_unit="currency"),
)
