"""PosFuse: a document at rank i of a run counts how often that run had a relevant document at rank i.

Learned from judged queries; noisy where they are few, since every rank has its own probability (`slidefuse` smooths).
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool, Votes
from rerank_cli.fusion.rule import Rule, Settings


def share_by_rank(votes: Votes, judged: Judged) -> np.ndarray:
    """Of the training queries whose list reaches rank i, the share with a relevant document there, (longest list,)."""
    rows, hit = judged.hits(votes)
    reached = np.bincount(votes.rank[rows] - 1)
    found = np.bincount(votes.rank[rows] - 1, weights=hit)
    return found / np.maximum(reached, 1)


def looked_up(table: np.ndarray, place: np.ndarray) -> np.ndarray:
    """`table[place]`, and 0 beyond its end."""
    if not len(table):
        return np.zeros(len(place))
    return np.where(place < len(table), table[np.minimum(place, len(table) - 1)], 0.0)


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run, of the training queries whose list reaches rank i the share with a relevant document there, (longest,)."""
    return tuple(share_by_rank(votes, judged) for votes in pool.votes)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of the probability learned for the rank; 0 beyond what was learned."""
    return pool.total(
        [looked_up(table, votes.rank - 1) for votes, table in zip(pool.votes, settings.tables, strict=True)]
    )


RULE = Rule(
    name="posfuse",
    summary="sum of P(rank), the share of training queries with a relevant document there",
    paper="Lillis, Zhang, Toolan, Collier, Leonard and Dunnion, Estimating Probabilities for Effective Data Fusion, SIGIR 2010",
    takes="ranks",
    missing="0",
    use="hundreds of judged queries or more",
    fuse=fuse,
    learn=learn,
)
