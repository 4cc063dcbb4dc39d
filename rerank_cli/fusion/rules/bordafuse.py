"""Borda count over the union: rank i of a run is worth |U| - i + 1, and what a run lacks shares the rest.

Every run gives away the same number of points for a query, however short its list.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def points(pool: Pool, weights: np.ndarray) -> np.ndarray:
    """Weighted Borda points (D,): |U| - rank + 1 where a run holds the document, (|U| - n + 1)/2 where it does not."""
    contributions = []
    share = np.zeros(len(pool))
    for votes, weight in zip(pool.votes, weights.tolist(), strict=True):
        length = np.zeros(len(pool.qids))
        length[votes.query] = votes.size
        missing = (pool.size - length + 1) / 2 * weight
        share += missing[pool.query]
        contributions.append((pool.size[votes.query] - votes.rank + 1) * weight - missing[votes.query])
    return pool.total(contributions) + share


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of Borda points."""
    return points(pool, settings.weights)


RULE = Rule(
    name="bordafuse",
    summary="sum of |U| - rank + 1 over the union U of all runs",
    paper="Aslam and Montague, Models for Metasearch, SIGIR 2001",
    takes="ranks",
    missing="(|U| - n + 1)/2, an equal share of what its n documents leave",
    use="runs of different systems whose scores mean nothing",
    fuse=fuse,
)
