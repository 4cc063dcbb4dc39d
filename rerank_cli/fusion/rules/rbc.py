"""Rank-biased centroid: each run gives the chance that a patient reader stops at the document.

A reader goes on from one rank to the next with probability phi; (1 - phi)·phi^(rank - 1) is the share
of attention that a rank gets, as in the measure RBP.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings

#: What tuning tries for phi.
GRID = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of (1 - phi)·phi^(rank - 1)."""
    phi = settings.number("phi")
    return pool.total([(1 - phi) * phi ** (votes.rank - 1.0) for votes in pool.votes])


RULE = Rule(
    name="rbc",
    summary="sum of (1 - phi)·phi^(rank - 1)",
    paper="Bailey, Moffat, Scholer and Thomas, Retrieval Consistency in the Presence of Query Variations, SIGIR 2017",
    takes="ranks",
    missing="0",
    use="when early ranks should count by how patient a reader is (phi)",
    fuse=fuse,
    params=(Param("phi", 0.8, "how patient the reader is", low=0, high=1, grid=GRID),),
)
