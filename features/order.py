"""Features of a user, from the user's orders."""

from features.distances import microdegrees
from features.events import Order, Payment
from features.geo import geo
from features.money import order_total, to_minor
from features.payments import PaymentWindow
from features.velocity import velocity
from twinstream import Decoder, FeatureGroup, Rejected, check_amount, check_code, check_id, epoch_ms, truncation

_decoder = Decoder(Order)


def decode(value: bytes | None, offset: int) -> tuple[str, Payment]:
    """The user and the order as kept in state: the brand stands for the merchant, the user agent for the device.

    Raises:
        Rejected: `malformed` or `schema`.
    """
    record = _decoder.decode(value)
    currency = check_code(record.currency, "currency")
    price = check_amount(record.price, "price")
    discount = check_amount(0 if record.discount_applied is None else record.discount_applied, "discount_applied")
    if not (discount.is_finite() and 0 <= discount <= 1):
        raise Rejected("schema", "expected a discount from 0 to 1 - at `$.discount_applied`")
    try:
        amount_minor = to_minor(order_total(price, record.quantity, discount), currency)
    except ValueError as fault:
        raise Rejected("schema", f"{fault} - at `$.price`") from None
    location, device = record.user_location, record.device_info
    return check_id(record.user_id, "user_id"), Payment(
        time_ms=epoch_ms(record.timestamp, "timestamp"),
        offset=offset,
        id=check_id(record.transaction_id, "transaction_id"),
        amount_minor=amount_minor,
        currency=currency,
        declined=False,
        merchant=record.brand,
        country=None
        if location is None or location.country is None
        else check_code(location.country, "user_location.country"),
        device=None if device is None else device.user_agent,
        place=None
        if location is None or location.latitude is None or location.longitude is None
        else (microdegrees(location.latitude), microdegrees(location.longitude)),
    )


order_features = FeatureGroup(
    name="order",
    version=1,
    topic="orders",
    entity="user_id",
    time="timestamp",
    id="transaction_id",
    wire_type=Order,
    event_type=Payment,
    decode=decode,
    window=PaymentWindow,
    families=(velocity, geo, truncation),
)
