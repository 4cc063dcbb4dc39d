"""Weighted sum of scores; with two weights that add up to 1, linear interpolation.

Give weights with -w; without them it is CombSUM. Wants scores on one scale: normalise first.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w·score."""
    return pool.total([weight * votes.score for votes, weight in zip(pool.votes, settings.weights, strict=True)])


RULE = Rule(
    name="wsum",
    summary="sum of w × score",
    paper="Vogt and Cottrell, Fusion Via a Linear Combination of Scores, Information Retrieval 1(3), 1999",
    takes="scores",
    missing="0",
    use="a first stage and a reranker, with a weight that was tuned",
    fuse=fuse,
    aliases=("interpolation", "weighted", "linear"),
    weighted=True,
)
