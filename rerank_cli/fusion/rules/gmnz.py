"""CombGMNZ: the sum of scores times a power of the number of runs that hold the document.

gamma 0 is CombSUM, 1 CombMNZ, -1 CombANZ; between them it says how much agreement is worth.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings

#: What tuning tries for gamma.
GRID = tuple(tenths / 10 for tenths in range(-10, 21))


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs, times (how many hold the document) to the power gamma."""
    return pool.total([votes.score for votes in pool.votes]) * pool.holders ** settings.number("gamma")


RULE = Rule(
    name="gmnz",
    summary="sum of scores × (number of runs that hold the document)^gamma",
    paper="Lee, Analyses of Multiple Evidence Combination, SIGIR 1997",
    takes="scores",
    missing="0",
    use="when how much agreement should count is to be tuned",
    fuse=fuse,
    aliases=("combgmnz", "comb_gmnz"),
    params=(Param("gamma", 0.5, "0 is sum, 1 is mnz, -1 is anz", grid=GRID),),
    non_negative=True,
)
