"""The vocabulary: each word is a function that makes a feature of a group, a class attribute of it.

A word is given *of*, a field such as Login.ip or a function of the event that says its return type; events where that
is null are left out, whatever the word. Every word takes *where*, a condition on the event, *unit* and *meaning*.

The examples in the words are over five sales to one customer, the whole window of five minutes:

>>> from twinstream.declare.examples import SALES
>>> for sale in SALES:
...     print(*sale.values())
0 tea 300 False
60 cake 450 False
90 tea 300 True
120 None 800 False
240 jam 999 False
"""

from twinstream.declare.words.numbers import count, max, mean, min, quantile, rate, share, std, sum
from twinstream.declare.words.own import aggregate, by
from twinstream.declare.words.times import (
    decayed_count,
    decayed_sum,
    since_first,
    since_last,
    since_previous,
    truncated,
)
from twinstream.declare.words.values import distinct, first, last, last_n, mode, top_k

VOCABULARY = (
    count,
    rate,
    share,
    sum,
    mean,
    std,
    min,
    max,
    quantile,
    distinct,
    first,
    last,
    last_n,
    mode,
    top_k,
    since_previous,
    since_first,
    since_last,
    decayed_count,
    decayed_sum,
    truncated,
    by,
    aggregate,
)
"""All words, in the order of the documentation."""

__all__ = [
    "VOCABULARY",
    "aggregate",
    "by",
    "count",
    "decayed_count",
    "decayed_sum",
    "distinct",
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
]
