"""Weighted Borda count: each run's points over the union times its weight."""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings
from rerank_cli.fusion.rules.bordafuse import points


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of w × Borda points."""
    return points(pool, settings.weights)


RULE = Rule(
    name="w_bordafuse",
    summary="sum of w × (|U| - rank + 1) over the union U of all runs",
    paper="Aslam and Montague, Models for Metasearch, SIGIR 2001",
    takes="ranks",
    missing="w × (|U| - n + 1)/2, an equal share of what its n documents leave",
    use="as bordafuse, for runs of unequal strength",
    fuse=fuse,
    aliases=("weighted_bordafuse",),
    weighted=True,
)
