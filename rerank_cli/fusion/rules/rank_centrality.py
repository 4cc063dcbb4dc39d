"""Rank centrality: where a walk that moves from losers to winners spends its time, every pair starting at one win each."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.rank_centrality import rank_centrality
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The walk's share of time."""
    return each_duel(pool, settings, rank_centrality)


RULE = Rule(
    name="rank_centrality",
    summary="share of time of a walk from losers to winners",
    paper="Negahban, Oh and Shah, Rank Centrality: Ranking from Pairwise Comparisons, Operations Research 65(1), 2017",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="sparse and noisy comparisons",
    fuse=fuse,
    params=(UNRANKED_LOSE,),
    weighted=True,
)
