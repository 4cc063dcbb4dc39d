"""Mixed: weighted sum of scores times the square root of the number of runs that hold the document.

Halfway between the weighted sum and weighted CombMNZ.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w·score, times the square root of how many hold the document."""
    total = pool.total([weight * votes.score for votes, weight in zip(pool.votes, settings.weights, strict=True)])
    return total * np.sqrt(pool.holders)


RULE = Rule(
    name="mixed",
    summary="sum of w × score, × √(number of runs that hold the document)",
    paper="Wu and Crestani, Data Fusion with Estimated Weights, CIKM 2002",
    takes="scores",
    missing="0",
    use="tuned weights, with agreement rewarded as well",
    fuse=fuse,
    weighted=True,
    non_negative=True,
)
