"""Weighted Condorcet fusion: as `condorcet`, each run's vote in a duel counting its weight."""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.ballots import each_query, votes_of
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings
from rerank_cli.fusion.rules.condorcet import scores


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """n minus the number of documents above, by duels won minus duels lost."""
    weights = votes_of(settings)
    return each_query(pool, lambda ranks: scores(ranks, weights))


RULE = Rule(
    name="w_condorcet",
    summary="as condorcet, a run deciding duels with its weight",
    paper="Montague and Aslam, Condorcet Fusion for Improved Retrieval, CIKM 2002",
    takes="ranks",
    missing="what it lacks is below what it holds",
    use="runs of unequal strength, with tuned weights",
    fuse=fuse,
    aliases=("weighted_condorcet",),
    weighted=True,
)
