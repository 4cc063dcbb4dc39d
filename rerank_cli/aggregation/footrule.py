"""Footrule: the order whose places are nearest to all lists' places, counted in places moved.

Spearman's distance instead of Kendall's: it is found exactly as a matching of items and places, and is never
worse than twice Kemeny's best.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.errors import missing_extra


def footrule(ranks: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, float]:
    """The order (n,) of items, best first, and its distance Σ weight · |place - rank|, from `ranks (m, n)`.

    What a list of k items lacks (0) has rank k + 1 in it. Needs scipy (`stats` extra), else raises `Missing`.
    O(n³) at worst, m n² for the costs. Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise missing_extra("scipy", "stats", "the footrule") from error
    lists, items = ranks.shape
    places = np.arange(1, items + 1)
    cost = np.zeros((items, items))
    for row, weight in zip(ranks, np.ones(lists) if weights is None else weights, strict=True):
        full = np.where(row > 0, row, np.count_nonzero(row) + 1)
        cost += weight * np.abs(full[:, None] - places[None, :])
    rows, columns = linear_sum_assignment(cost)
    order = np.empty(items, dtype=np.int64)
    order[columns] = rows
    return order, float(cost[rows, columns].sum())
