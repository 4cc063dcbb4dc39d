"""Rank centrality: the stationary distribution of a walk that moves from an item to those that beat it."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.pairs import settled


def rank_centrality(wins: np.ndarray) -> np.ndarray:
    """Share of time, (n,) adding up to 1, from `wins (n, n)`; every pair begins with one win on either side.

    That win keeps the walk from ending in an unbeaten item. One LU factorisation, O(n³).
    Negahban, Oh and Shah, Rank Centrality: Ranking from Pairwise Comparisons, Operations Research 65(1), 2017.
    """
    size = len(wins)
    if size < 2:
        return np.ones(size)
    moves = wins.T + 1.0
    moves /= moves + moves.T
    np.fill_diagonal(moves, 0.0)
    moves /= moves.sum(axis=1).max()
    np.fill_diagonal(moves, 1.0 - moves.sum(axis=1))
    # The stationary row vector x satisfies x(I - P + E) = 1 with E all ones, and that matrix is regular.
    share = np.linalg.solve((np.eye(size) - moves + 1.0).T, np.ones(size))
    return settled(np.asarray(share / share.sum()))
