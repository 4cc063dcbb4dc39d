"""Reciprocal rank fusion: each run gives a document 1/(k + rank).

The usual first choice: no scores, nothing to tune that matters much. A larger k flattens the list;
one k a run lets a good run's top count more. Weights are ours by common use: w/(k + rank).
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings

#: What tuning tries for k.
GRID = (1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """Sum over runs of w/(k + rank)."""
    shares = zip(pool.votes, settings.weights, settings.params["k"], strict=True)
    return pool.total([weight / (k + votes.rank) for votes, weight, k in shares])


RULE = Rule(
    name="rrf",
    summary="sum of w/(k + rank)",
    paper="Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet and Individual Rank Learning Methods, SIGIR 2009",
    takes="ranks",
    missing="0",
    use="first choice without judgements: any runs, no normalisation, nothing to tune",
    fuse=fuse,
    params=(Param("k", 60, "added to every rank", low=0, per_run=True, grid=GRID),),
    weighted=True,
)
