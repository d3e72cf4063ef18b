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
    from twinstream.core.feature_group import Family, Scoring
    from twinstream.core.fields import (
        Amount,
        Checked,
        CountryCode,
        CurrencyCode,
        FourDigits,
        Id,
        IpAddress,
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
    from twinstream.declare.computed import feature
    from twinstream.declare.event import Event
    from twinstream.declare.group import FeatureGroup
    from twinstream.declare.words import (
        aggregate,
        by,
        count,
        decayed_count,
        decayed_sum,
        distinct,
        first,
        last,
        last_n,
        max,
        mean,
        min,
        mode,
        quantile,
        rate,
        share,
        since_first,
        since_last,
        since_previous,
        std,
        sum,
        top_k,
        truncated,
    )

__all__ = [
    "Aggregate",
    "Amount",
    "Checked",
    "CountryCode",
    "CurrencyCode",
    "Decoder",
    "Event",
    "Family",
    "FeatureGroup",
    "FourDigits",
    "Id",
    "IpAddress",
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
    "aggregate",
    "by",
    "check_amount",
    "check_code",
    "check_digits",
    "check_id",
    "check_ip_address",
    "count",
    "decayed_count",
    "decayed_sum",
    "distinct",
    "epoch_ms",
    "feature",
    "first",
    "last",
    "last_n",
    "max",
    "mean",
    "min",
    "mode",
    "quantile",
    "rate",
    "share",
    "since_first",
    "since_last",
    "since_previous",
    "std",
    "sum",
    "top_k",
    "truncated",
    "truncation",
]

_DEFINED_IN = {
    "core.aggregates": "Maximum Money Tally",
    "core.decoding": "Decoder",
    "core.event": "RetainedEvent",
    "core.feature_group": "Family Scoring",
    "core.fields": "Amount Checked CountryCode CurrencyCode FourDigits Id IpAddress Latitude Longitude Name Text "
    "Timestamp check_amount check_code check_digits check_id check_ip_address epoch_ms",
    "core.rejection": "Rejected",
    "core.truncation": "truncation",
    "core.window": "Aggregate Window",
    "declare.computed": "feature",
    "declare.event": "Event",
    "declare.group": "FeatureGroup",
    "declare.words": "aggregate by count decayed_count decayed_sum distinct first last last_n max mean min mode "
    "quantile rate share since_first since_last since_previous std sum top_k truncated",
}
_MODULES = {name: f"twinstream.{module}" for module, names in _DEFINED_IN.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """One of the names above, from where it is defined."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
