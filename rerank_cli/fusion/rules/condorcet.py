"""Condorcet fusion, counted as Copeland: duels won minus duels lost, where most runs decide a duel.

A run prefers what it ranks higher and what it ranks at all. Equal counts are told apart by the margins, then by
the sum of 1/rank. Sorting by the majority itself, as the paper does, has no one answer where majorities form a
cycle; this has, and agrees where they do not.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.copeland import copeland
from rerank_cli.aggregation.pairs import countdown_by, wins
from rerank_cli.fusion.ballots import each_query
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def scores(ranks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """n minus the number of documents above, (n,), from `ranks (m, n)`: by duels, then margins, then Σ weight/rank."""
    duels, margins = copeland(wins(ranks, weights, unranked_lose=True))
    shares = np.divide(weights[:, None], ranks, out=np.zeros(ranks.shape), where=ranks > 0)
    # Sorted before they are added: the order of the runs has no say.
    return countdown_by([duels, margins, np.sort(shares, axis=0).sum(axis=0)])


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """n minus the number of documents above, by duels won minus duels lost."""
    return each_query(pool, lambda ranks: scores(ranks, settings.weights))


RULE = Rule(
    name="condorcet",
    summary="n minus documents above, by duels won - duels lost, the majority of runs deciding",
    paper="Montague and Aslam, Condorcet Fusion for Improved Retrieval, CIKM 2002",
    takes="ranks",
    missing="what it lacks is below what it holds",
    use="three runs or more of alike strength; robust against one that is wild",
    fuse=fuse,
    aliases=("copeland",),
)
