"""Footrule: the order whose places lie nearest to the runs' ranks, found exactly as a matching.

Never worse than twice Kemeny's best, and for long lists more surely good. Needs scipy (the extra `stats`).
Gives only an order; scores count down to 1.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.footrule import footrule
from rerank_cli.aggregation.pairs import countdown
from rerank_cli.fusion.ballots import each_query, votes_of
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """n - place + 1 in the order found."""
    weights = votes_of(settings)
    total = 0.0

    def places(ranks: np.ndarray) -> np.ndarray:
        nonlocal total
        order, distance = footrule(ranks, weights)
        total += distance
        return countdown(order)

    scores = each_query(pool, places)
    settings.note(f"footrule: {total:g} places off the runs' ranks in all, the least possible")
    return scores


RULE = Rule(
    name="footrule",
    summary="n - place + 1 in the order nearest to all ranks, in places moved",
    paper="Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001",
    takes="ranks",
    missing="rank n + 1, below all that it holds",
    use="as kemeny, when the optimum must be certain; slow beyond a thousand documents a query",
    fuse=fuse,
    weighted=True,
    in_blocks=False,
)
