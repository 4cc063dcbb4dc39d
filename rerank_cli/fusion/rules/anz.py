"""CombANZ: the mean score of the runs that hold the document.

A document that a single run ranks high beats one that all runs rank in the middle.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs, divided by how many hold the document."""
    return pool.total([votes.score for votes in pool.votes]) / pool.holders


RULE = Rule(
    name="anz",
    summary="mean score of the runs that hold the document",
    paper="Fox and Shaw, Combination of Multiple Searches, TREC-2, 1994",
    takes="scores",
    missing="nothing: it is left out",
    use="rarely: one enthusiastic run outweighs agreement",
    fuse=fuse,
    aliases=("combanz", "comb_anz"),
    non_negative=True,
)
