"""Mean rank: what a run of n documents lacks stands at n + 1.

The Borda count of lists that are all of one length.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.mean_rank import mean_rank
from rerank_cli.fusion.ballots import each_query
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """|U| + 1 minus the mean rank."""
    return each_query(pool, lambda ranks: ranks.shape[1] + 1 - mean_rank(ranks), dense=False)


RULE = Rule(
    name="mean_rank",
    summary="|U| + 1 - mean rank, U being the union of all runs",
    paper="Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001",
    takes="ranks",
    missing="rank n + 1, below all that it holds",
    use="lists over (nearly) the same documents, as several rerankers of one first stage",
    fuse=fuse,
)
