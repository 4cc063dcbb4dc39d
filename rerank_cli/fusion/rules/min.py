"""CombMIN: the lowest score that any run gives.

Asks that no run thinks little of a document; runs that lack it have no say.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The minimum over the runs that hold the document."""
    lowest = np.full(len(pool), np.inf)
    for votes in pool.votes:
        lowest[votes.document] = np.minimum(lowest[votes.document], votes.score)
    return lowest


RULE = Rule(
    name="min",
    summary="lowest score of the runs that hold the document",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="nothing: it is left out",
    use="when a document must please every run that holds it",
    fuse=fuse,
    aliases=("combmin", "comb_min"),
)
