"""The real-time feature engine: one set of feature functions, two stream runtimes, the same bytes.

These are the names that feature definitions are written with. They are looked up when they are first asked for, so that
importing one module of the engine loads nothing that it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinstream.core.aggregates import Maximum, Money, Tally
    from twinstream.core.decoding import Decoder
    from twinstream.core.event import RetainedEvent
    from twinstream.core.feature_group import Family, FeatureGroup, Scoring
    from twinstream.core.fields import (
        Amount,
        CountryCode,
        CurrencyCode,
        FourDigits,
        Id,
        Latitude,
        Longitude,
        Name,
        Text,
        Timestamp,
        check_amount,
        check_code,
        check_digits,
        check_id,
        check_ip_address,
        epoch_ms,
    )
    from twinstream.core.rejection import Rejected
    from twinstream.core.truncation import truncation
    from twinstream.core.window import Aggregate, Window

__all__ = [
    "Aggregate",
    "Amount",
    "CountryCode",
    "CurrencyCode",
    "Decoder",
    "Family",
    "FeatureGroup",
    "FourDigits",
    "Id",
    "Latitude",
    "Longitude",
    "Maximum",
    "Money",
    "Name",
    "Rejected",
    "RetainedEvent",
    "Scoring",
    "Tally",
    "Text",
    "Timestamp",
    "Window",
    "check_amount",
    "check_code",
    "check_digits",
    "check_id",
    "check_ip_address",
    "epoch_ms",
    "truncation",
]

_DEFINED_IN = {
    "aggregates": "Maximum Money Tally",
    "decoding": "Decoder",
    "event": "RetainedEvent",
    "feature_group": "Family FeatureGroup Scoring",
    "fields": "Amount CountryCode CurrencyCode FourDigits Id Latitude Longitude Name Text Timestamp check_amount "
    "check_code check_digits check_id check_ip_address epoch_ms",
    "rejection": "Rejected",
    "truncation": "truncation",
    "window": "Aggregate Window",
}
_MODULES = {name: f"twinstream.core.{module}" for module, names in _DEFINED_IN.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """One of the names above, from where it is defined."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
