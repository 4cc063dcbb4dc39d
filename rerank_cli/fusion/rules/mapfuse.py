"""MAPFuse: reciprocal rank, weighted by how good the run was in training: its mean average precision.

One number a run is learned, so few judged queries are enough.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run its mean average precision over the training queries, (1,)."""
    queries = int(np.count_nonzero(judged.training & (judged.total > 0)))
    tables = []
    for votes in pool.votes:
        rows, hit = judged.hits(votes)
        found = np.cumsum(hit)
        # Rows of a query stand together, best first: hits before its first row are those of other queries.
        before = (found - hit)[np.searchsorted(rows, rows - (votes.rank[rows] - 1))]
        precision = (found - before) / votes.rank[rows]
        gained = hit * precision / np.maximum(judged.total[votes.query[rows]], 1)
        tables.append(np.array([gained.sum() / max(queries, 1)]))
    return tuple(tables)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of MAP/rank."""
    return pool.total([table[0] / votes.rank for votes, table in zip(pool.votes, settings.tables, strict=True)])


RULE = Rule(
    name="mapfuse",
    summary="sum of MAP/rank, MAP the run's mean average precision on the training queries",
    paper="Lillis, Zhang, Toolan, Collier, Leonard and Dunnion, Estimating Probabilities for Effective Data Fusion, SIGIR 2010",
    takes="ranks",
    missing="0",
    use="a handful of judged queries, runs of unequal strength",
    fuse=fuse,
    learn=learn,
)
