"""Greedy ordering: take the item that wins most against what is left, put it next, and forget it."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.pairs import ROUNDING_BITS, countdown, settled


def greedy(wins: np.ndarray) -> np.ndarray:
    """Scores n, n - 1, … 1 by the turn in which an item is taken, (n,), from `wins (n, n)`; of equals the first. O(n²).

    Within a factor of two of the largest weight of comparisons that an order can agree with.
    Cohen, Schapire and Singer, Learning to Order Things, JAIR 10, 1999.
    """
    # Rounded, so that taking items away leaves equals equal.
    margins = settled(wins - wins.T, ROUNDING_BITS)
    potential = margins.sum(axis=1)
    order = np.empty(len(wins), dtype=np.int64)
    for turn in range(len(wins)):
        taken = int(np.argmax(potential))
        order[turn] = taken
        potential += margins[taken]
        potential[taken] = -np.inf
    return countdown(order)
