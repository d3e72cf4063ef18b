"""How well a score ranks what it should find above the rest."""

from collections.abc import Iterator, Sequence
from itertools import groupby


def roc_auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Chance that a positive scores above a negative, both drawn at random; a tie counts half.

    >>> roc_auc([0.9, 0.4, 0.4, 0.1], [True, True, False, False])
    0.875

    Raises:
        ValueError: there are no positives or no negatives.
    """
    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        raise ValueError("positives and negatives are needed")
    doubled, below = 0, 0  # pairs won, counted twice to stay whole; negatives below the present score
    for found, size in _ties(scores, labels, descending=False):
        missed = size - found
        doubled += found * (2 * below + missed)
        below += missed
    return doubled / (2 * positives * negatives)


def hits_at(scores: Sequence[float], labels: Sequence[bool], alerts: int) -> float:
    """Positives among the `alerts` highest scores; of a tie at the edge, the share that chance would pick.

    >>> hits_at([0.9, 0.4, 0.4, 0.1], [True, True, False, False], 2)
    1.5
    """
    hits, left = 0.0, alerts
    for found, size in _ties(scores, labels, descending=True):
        if size >= left:
            return hits + found * left / size
        hits += found
        left -= size
    return hits


def percentiles(scores: Sequence[float], groups: Sequence[str]) -> list[float]:
    """Each score's place among those of its group: 0 the lowest, 1 the highest, ties in the middle.

    >>> percentiles([10, 30, 20, 5000], ["EUR", "EUR", "EUR", "JPY"])
    [0.0, 1.0, 0.5, 0.5]
    """
    places = [0.5] * len(scores)
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    for indices in members.values():
        indices.sort(key=scores.__getitem__)
        before, last = 0, len(indices) - 1
        for _, tied in groupby(indices, key=scores.__getitem__):
            same = list(tied)
            for index in same:
                places[index] = (before + (len(same) - 1) / 2) / last if last else 0.5
            before += len(same)
    return places


def _ties(scores: Sequence[float], labels: Sequence[bool], *, descending: bool) -> Iterator[tuple[int, int]]:
    """Positives and size of each run of equal scores, in order of the score."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=descending)
    for _, tied in groupby(order, key=scores.__getitem__):
        same = [labels[index] for index in tied]
        yield sum(same), len(same)
