"""CombMNZ: the sum of scores times the number of runs that hold the document.

Rewards agreement between runs more than CombSUM does.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs, times how many hold the document."""
    return pool.total([votes.score for votes in pool.votes]) * pool.holders


RULE = Rule(
    name="mnz",
    summary="sum of scores × number of runs that hold the document",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="0",
    use="runs of alike strength from different systems",
    fuse=fuse,
    aliases=("combmnz", "comb_mnz"),
    non_negative=True,
)
