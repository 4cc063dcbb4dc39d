"""Kemeny: the order that goes against the fewest pairwise preferences of all runs together.

Exact up to ten documents a query, else found by moving one document at a time to its best place; how many
preferences the order goes against is said. Gives only an order; scores count down to 1.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.kemeny import EXACT, kemeny
from rerank_cli.aggregation.pairs import countdown, wins
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_query, votes_of
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """n - place + 1 in the order found."""
    lose, weights = settings.number("unranked_lose") > 0, votes_of(settings)
    total, proven = 0.0, 0

    def places(ranks: np.ndarray) -> np.ndarray:
        nonlocal total, proven
        order, against, exact = kemeny(wins(ranks, weights, lose))
        total, proven = total + against, proven + exact
        return countdown(order)

    scores = each_query(pool, places)
    settings.note(
        f"kemeny: goes against preferences of weight {total:g} in all; {proven} of {len(pool.qids)} queries "
        f"(up to {EXACT} documents) have an order that is proven best, the others one that no single move betters"
    )
    return scores


RULE = Rule(
    name="kemeny",
    summary="n - place + 1 in the order that goes against the fewest pairwise preferences",
    paper="Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001 (after Kemeny, 1959)",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="few documents a query, when the consensus itself is wanted",
    fuse=fuse,
    aliases=("kemeny_young",),
    params=(UNRANKED_LOSE,),
    weighted=True,
    in_blocks=False,
)
