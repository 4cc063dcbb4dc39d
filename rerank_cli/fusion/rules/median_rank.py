"""Median rank: half of the runs put the document this high; what a run of n documents lacks stands at n + 1.

One run that is far off moves nothing. Of two runs it is their mean rank.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.mean_rank import median_rank
from rerank_cli.fusion.ballots import each_query
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """|U| + 1 minus the median rank."""
    return each_query(pool, lambda ranks: ranks.shape[1] + 1 - median_rank(ranks), dense=False)


RULE = Rule(
    name="median_rank",
    summary="|U| + 1 - median rank, U being the union of all runs",
    paper="Fagin, Kumar and Sivakumar, Efficient Similarity Search and Classification via Rank Aggregation, SIGMOD 2003",
    takes="ranks",
    missing="rank n + 1, below all that it holds",
    use="three rerankings or more of the same documents, one of which may be wild",
    fuse=fuse,
)
