"""CombMAX: the highest score that any run gives.

One believer is enough; runs that lack the document have no say.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The maximum over the runs that hold the document."""
    highest = np.full(len(pool), -np.inf)
    for votes in pool.votes:
        highest[votes.document] = np.maximum(highest[votes.document], votes.score)
    return highest


RULE = Rule(
    name="max",
    summary="highest score of the runs that hold the document",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="nothing: it is left out",
    use="passages of a document, or variants of a query: one good hit is enough",
    fuse=fuse,
    aliases=("combmax", "comb_max"),
)
