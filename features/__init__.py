"""The reference definitions: features of cards, orders and clicks, written as any user of the engine would.

A feature is a function in `velocity`, `geo`, `risk` or `engagement`, of the window in `payments` or `engagement` or of
what its family derives from that; a group in `transaction`, `order` or `clickstream` says which of them are computed,
from which topic, for whom.
"""

from twinstream.packages import missing_packages_named

with missing_packages_named():
    from features.clickstream import clickstream_features
    from features.order import order_features
    from features.reference import reference
    from features.transaction import transaction_features

CATALOG_NOTES = reference()
"""How every value is computed: the second part of docs/features.md."""

__all__ = ["transaction_features", "order_features", "clickstream_features"]  # noqa: RUF022 the catalog's order
