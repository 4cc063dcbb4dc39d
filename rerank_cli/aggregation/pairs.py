"""From lists to pairwise comparisons, and from scores with rounding noise to an order.

Most of this room works on the matrix of wins, because that is where partial lists, blocks of a listwise model
and single comparisons of a pairwise model become the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Sums that differ by less than their rounding are equal, whatever order they were added in.
ROUNDING_BITS = 40
_ABSENT = np.iinfo(np.int64).max


def wins(ranks: np.ndarray, weights: np.ndarray | None = None, unranked_lose: bool = False) -> np.ndarray:
    """How much weight puts the row's item above the column's, (n, n) float64, from `ranks (m, n)` (0: not in the list).

    Every pair that a list holds counts once, equal ranks for neither; with `unranked_lose` what a list holds also
    beats what it lacks. `weights (m,)` default to 1. O(m n²).
    """
    lists, items = ranks.shape
    matrix = np.zeros((items, items))
    for row, weight in zip(ranks, np.ones(lists) if weights is None else weights, strict=True):
        upper = np.where(row > 0, row, _ABSENT)
        lower = upper if unranked_lose else row
        matrix += weight * (upper[:, None] < lower[None, :])
    return matrix


def block_wins(items: int, blocks: Sequence[Sequence[int]], values: Sequence[np.ndarray]) -> np.ndarray:
    """Wins (items, items) in `blocks` of different items, of which a model gave `values`, higher is better.

    Every pair of a block counts once, half a win for each where the values are equal. What the model left out (NaN) loses
    to all that it named, and nothing is known among those left out. O(Σ block²).
    """
    matrix = np.zeros((items, items))
    for block, told in zip(blocks, values, strict=True):
        named = ~np.isnan(told)
        height = np.where(named, told, -np.inf)
        one, other = height[:, None], height[None, :]
        won = (one > other) + 0.5 * ((one == other) & named[:, None])
        np.fill_diagonal(won, 0.0)
        matrix[np.ix_(block, block)] += won
    return matrix


def ties(ranks: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """How much weight puts two different items at the same rank, (n, n) symmetric float64, zero diagonal. O(m n²)."""
    lists, items = ranks.shape
    matrix = np.zeros((items, items))
    for row, weight in zip(ranks, np.ones(lists) if weights is None else weights, strict=True):
        matrix += weight * ((row[:, None] == row[None, :]) & (row > 0)[:, None])
    np.fill_diagonal(matrix, 0.0)
    return matrix


def settled(values: np.ndarray, bits: int = 30) -> np.ndarray:
    """`values (n,)` rounded at 2^-bits, a billionth, of the largest: what an iteration leaves apart by less is the tie it should be."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return values
    unit = 2.0 ** np.floor(np.log2(largest) - bits)
    return np.asarray(np.round(values / unit) * unit)


def countdown(order: np.ndarray) -> np.ndarray:
    """Scores n, n - 1, … 1 for the items of `order (n,)`, best first: (n,) float64 by item."""
    scores = np.empty(len(order))
    scores[order] = np.arange(len(order), 0, -1)
    return scores


def countdown_by(keys: list[np.ndarray]) -> np.ndarray:
    """Scores by several `keys` (each (n,), larger is better, the first decides first): n - (items strictly better)."""
    size = len(keys[0])
    if not size:
        return np.empty(0)
    order = np.lexsort([-key for key in reversed(keys)])
    fresh = np.zeros(size, dtype=bool)
    fresh[0] = True
    for key in keys:
        fresh[1:] |= np.diff(key[order]) != 0
    first = np.maximum.accumulate(np.where(fresh, np.arange(size), 0))
    scores = np.empty(size)
    scores[order] = size - first
    return scores
