"""Rank-normalised fusion: rank i of n is worth 1 - (i - 1)/n, so that long and short lists meet on one scale.

Our reading of fusing "with normalised order": ranks divided by the length of their list take the place of
1/(k + rank). With equal weights it is `borda`.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w·(1 - (rank - 1)/n)."""
    shares = zip(pool.votes, settings.weights, strict=True)
    return pool.total([weight * ((votes.size - votes.rank + 1) / votes.size) for votes, weight in shares])


RULE = Rule(
    name="norm_rrf",
    summary="sum of w × (1 - (rank - 1)/n), n being the length of the run's list",
    paper="Lee, Analyses of Multiple Evidence Combination, SIGIR 1997 (rank similarity)",
    takes="ranks",
    missing="0",
    use="lists of very different lengths, with weights",
    fuse=fuse,
    aliases=("rank_rrf", "rank_norm"),
    weighted=True,
)
