"""CombMED: the median of the scores that the runs give.

Of an even number the mean of the two in the middle; runs that lack the document have no say.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The median over the runs that hold the document."""
    scores = np.sort(pool.table(), axis=1)  # NaN, a run that lacks the document, sorts last
    rows = np.arange(len(pool))
    return (scores[rows, (pool.holders - 1) // 2] + scores[rows, pool.holders // 2]) / 2


RULE = Rule(
    name="med",
    summary="median score of the runs that hold the document",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="nothing: it is left out",
    use="three runs or more, one of which may be badly wrong",
    fuse=fuse,
    aliases=("combmed", "comb_med"),
)
