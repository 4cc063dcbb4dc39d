"""Interleave: the first of each run in turn, then the second of each, documents already taken skipped.

The order of the runs matters: the first run's first document stays first. Good for joining candidates
of two first stages before reranking. Gives only an order; scores count down to 1.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """n - place + 1 in the merged list of n."""
    turn = np.full(len(pool), np.iinfo(np.int64).max)
    for position, votes in enumerate(pool.votes):
        own = (votes.rank - 1) * len(pool.votes) + position
        turn[votes.document] = np.minimum(turn[votes.document], own)
    order = np.lexsort((turn, pool.query))
    starts = np.concatenate([[0], np.cumsum(pool.size)])[:-1]
    score = np.empty(len(pool))
    score[order] = np.repeat(pool.size + starts, pool.size) - np.arange(len(pool))
    return score


RULE = Rule(
    name="interleave",
    summary="the runs' documents in turn, those already taken skipped",
    paper="Wrzalik and Krechel, CoRT: Complementary Rankings from Transformers, NAACL 2021",
    takes="ranks",
    missing="nothing: its turn is skipped",
    use="joining the candidates of two first stages before reranking",
    fuse=fuse,
    aliases=("round_robin",),
)
