"""Bradley-Terry: the strengths under which the duels as they went are most probable, with a weak prior.

The prior is a virtual win and loss of weight 0.1, without which a document that never loses has no strength.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.bradley_terry import bradley_terry
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The strengths."""
    prior = settings.number("prior")
    return each_duel(pool, settings, lambda wins: bradley_terry(wins, prior))


RULE = Rule(
    name="bradley_terry",
    summary="strength p, where one beats another with probability p/(p + q)",
    paper="Newman, Efficient Computation of Rankings from Pairwise Comparisons, JMLR 24, 2023",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="partial lists that overlap unevenly: whom a document met is accounted for",
    fuse=fuse,
    aliases=("bt",),
    params=(UNRANKED_LOSE, Param("prior", 0.1, "weight of a virtual win and loss", low=1e-6)),
    weighted=True,
)
