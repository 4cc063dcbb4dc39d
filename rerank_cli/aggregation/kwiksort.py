"""KwikSort: quicksort with a comparator that may contradict itself.

Everything that beats the pivot goes before it, the rest behind it, and the same again on either side. Cycles do no harm:
each pair is looked at once at most.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.pairs import countdown


def kwiksort(wins: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Scores n, n - 1, … 1, (n,), from `wins (n, n)`. The pivot is drawn by `rng`, or the first of its part without one.

    Two items that never met, or are even, keep their order. O(n log n) with drawn pivots, O(n²) at worst.
    Ailon, Charikar and Newman, Aggregating Inconsistent Information: Ranking and Clustering, JACM 55(5), 2008.
    """
    margins = wins - wins.T
    order: list[int] = []
    waiting = [np.arange(len(wins))]
    while waiting:
        part = waiting.pop()
        if len(part) < 2:
            order += part.tolist()
            continue
        pivot = part[0 if rng is None else rng.integers(len(part))]
        against = margins[part, pivot]
        before = (against > 0) | ((against == 0) & (part < pivot))
        waiting += [part[~before & (part != pivot)], part[part == pivot], part[before]]
    return countdown(np.array(order, dtype=np.int64))
