"""Bradley-Terry with ties: documents of equal score in a run have tied, and how prone to ties the runs are is learned.

Without equal scores it is `bradley_terry`.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.bradley_terry import newman
from rerank_cli.aggregation.pairs import ties, wins
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_query, votes_of
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The strengths."""
    lose, weights = settings.number("unranked_lose") > 0, votes_of(settings)
    prior = settings.number("prior")

    def strengths(ranks: np.ndarray) -> np.ndarray:
        return newman(wins(ranks, weights, lose), ties(ranks, weights), prior)[0]

    return each_query(pool, strengths, tied=True)


RULE = Rule(
    name="newman",
    summary="strength p, where one beats another with p/(p + q + 2v√(pq)) and ties otherwise",
    paper="Newman, Efficient Computation of Rankings from Pairwise Comparisons, JMLR 24, 2023",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="runs with many equal scores, as graded or set-wise judgements of a language model",
    fuse=fuse,
    params=(UNRANKED_LOSE, Param("prior", 0.1, "weight of a virtual win and loss", low=1e-6)),
    weighted=True,
)
