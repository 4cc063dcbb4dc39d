"""PageRank over duels: beating a document that beats many counts more than beating one that beats none."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.pagerank import pagerank
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """A random surfer's share of time."""
    damping = settings.number("damping")
    return each_duel(pool, settings, lambda wins: pagerank(wins, damping))


RULE = Rule(
    name="pagerank",
    summary="a random surfer's share of time, who goes from the beaten to the winner",
    paper="Page, Brin, Motwani and Winograd, The PageRank Citation Ranking, Stanford TR 1999; for blocks: JointRank, 2025",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="many short partial lists, as the blocks of a listwise reranker",
    fuse=fuse,
    params=(UNRANKED_LOSE, Param("damping", 0.85, "how often the surfer follows a link", low=0, high=0.999)),
    weighted=True,
)
