"""Features of a user, from the user's clicks."""

from features.engagement import ActivityWindow, conversion, engagement, session
from features.events import Action, Click
from twinstream import Decoder, FeatureGroup, check_id, epoch_ms, truncation

_decoder = Decoder(Click)


def decode(value: bytes | None, offset: int) -> tuple[str, Action]:
    """The user and the click as kept in state.

    Raises:
        Rejected: `malformed` or `schema`.
    """
    record = _decoder.decode(value)
    return check_id(record.user_id, "user_id"), Action(
        time_ms=epoch_ms(record.event_time, "event_time"),
        offset=offset,
        id=check_id(record.event_id, "event_id"),
        session=check_id(record.session_id, "session_id"),
        type=record.event_type,
        page=record.page,
        product=record.product_id,
        dwell_ms=record.dwell_ms or 0,
    )


clickstream_features = FeatureGroup(
    name="clickstream",
    version=1,
    topic="clickstream",
    entity="user_id",
    time="event_time",
    id="event_id",
    wire_type=Click,
    event_type=Action,
    decode=decode,
    window=ActivityWindow,
    families=(engagement, conversion, session, truncation),
)
