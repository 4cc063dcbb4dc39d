"""CombSUM: the scores of all runs, added.

Wants scores on one scale: normalise first (--norm min-max) unless the runs share a scorer.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs."""
    return pool.total([votes.score for votes in pool.votes])


RULE = Rule(
    name="sum",
    summary="sum of scores",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="0",
    use="runs of alike strength on one scale (--norm min-max)",
    fuse=fuse,
    aliases=("combsum", "comb_sum"),
)
