"""Average: the sum of scores divided by the number of runs.

Orders as CombSUM does and keeps the scale of the scores.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs, divided by the number of runs."""
    return pool.total([votes.score for votes in pool.votes]) / len(pool.votes)


RULE = Rule(
    name="average",
    summary="sum of scores / number of runs",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="0",
    use="to match Pyserini's average; otherwise sum, which orders alike",
    fuse=fuse,
    aliases=("mean",),
)
