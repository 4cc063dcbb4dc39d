"""SegFuse: segments that double in length, each counting how relevant it was in training, times 1 + the score.

Short segments where relevance changes fast; the score, between 0 and 1 under min-max, orders inside a segment.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings
from rerank_cli.fusion.rules.posfuse import looked_up

#: The last rank of each of the ten segments: 5, 15, 35, … 5115.
ENDS = 10 * 2 ** np.arange(10) - 5


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run the mean over training queries of (relevant in the segment)/(its length), (10,)."""
    tables = []
    for votes in pool.votes:
        rows, hit = judged.hits(votes)
        segment = np.searchsorted(ENDS, votes.rank[rows])
        sums = np.bincount(segment, weights=hit, minlength=len(ENDS))[: len(ENDS)]
        tables.append(sums / np.diff(ENDS, prepend=0) / max(judged.lists(votes), 1))
    return tuple(tables)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of P(segment)·(score + 1); 0 beyond the last segment."""
    return pool.total(
        [
            looked_up(table, np.searchsorted(ENDS, votes.rank)) * (votes.score + 1.0)
            for votes, table in zip(pool.votes, settings.tables, strict=True)
        ]
    )


RULE = Rule(
    name="segfuse",
    summary="sum of P(segment) × (1 + score), segments ending at 5, 15, 35, 75, … doubling",
    paper="Shokouhi, Segmentation of Search Engine Results for Effective Data-Fusion, ECIR 2007",
    takes="scores",
    missing="0",
    use="few judged queries; uses scores as well as ranks",
    norm="min-max",
    non_negative=True,
    fuse=fuse,
    learn=learn,
)
