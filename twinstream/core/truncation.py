"""Whether the window is whole."""

from typing import Any

from twinstream.core.feature_group import Family
from twinstream.core.window import Window

truncation: Family[Window[Any]] = Family("truncation")


@truncation.feature(
    unit="", meaning="Whether the window had more events than one entity may retain, so that the oldest are missing."
)
def window_truncated(window: Window[Any]) -> bool:
    return window.truncated
