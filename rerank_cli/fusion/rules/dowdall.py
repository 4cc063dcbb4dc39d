"""Dowdall: rank i is worth 1/i, as in Nauru's elections.

Reciprocal rank fusion with k = 0: the steepest of the family, a first place beats two third places.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w/rank."""
    return pool.total([weight / votes.rank for votes, weight in zip(pool.votes, settings.weights, strict=True)])


RULE = Rule(
    name="dowdall",
    summary="sum of w/rank",
    paper="Reilly, Social Choice in the South Seas: Electoral Innovation and the Borda Count, International Political Science Review 23(4), 2002",
    takes="ranks",
    missing="0",
    use="when first places should count far more than the rest",
    fuse=fuse,
    weighted=True,
)
