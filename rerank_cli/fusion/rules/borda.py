"""Borda count over each run's own list: rank i of n is worth (n - i + 1)/n, what a run lacks nothing.

The variant used to fuse the lists of several forms of a query; unlike `bordafuse` it does not ask how
large the union is, and short lists fall off faster.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of (n - rank + 1)/n."""
    return pool.total([(votes.size - votes.rank + 1) / votes.size for votes in pool.votes])


RULE = Rule(
    name="borda",
    summary="sum of (n - rank + 1)/n, n being the length of the run's list",
    paper="Li et al., Pseudo Relevance Feedback with Deep Language Models and Dense Retrievers, TOIS 41(3), 2023",
    takes="ranks",
    missing="0",
    use="many lists of one query's variants, as in pseudo-relevance feedback",
    fuse=fuse,
)
