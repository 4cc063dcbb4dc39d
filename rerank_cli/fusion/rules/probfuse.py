"""ProbFuse: each list is cut into x equal segments, and a segment counts how relevant it was in training, over its number.

A segment's documents have the same probability; a billionth of the sum of 1/rank keeps them in their order, where
the paper leaves it open.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool, Votes
from rerank_cli.fusion.rule import Param, Rule, Settings
from rerank_cli.fusion.rules.posfuse import looked_up

#: What tuning tries for the number of segments.
GRID = (2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 75.0, 100.0)


def _segment_size(votes: Votes, segments: int) -> np.ndarray:
    """How many documents a segment of the row's list has, (n,): the list's length over `segments`, rounded up."""
    return -(-votes.size // segments)


def _segment(votes: Votes, segments: int) -> np.ndarray:
    """The segment that a row is in, from 0, (n,)."""
    return np.asarray((votes.rank - 1) // _segment_size(votes, segments))


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run the mean over training queries of the share of relevant documents in each segment, (x,)."""
    segments = int(settings.number("segments"))
    tables = []
    for votes in pool.votes:
        rows, hit = judged.hits(votes)
        share = hit / _segment_size(votes, segments)[rows]
        sums = np.bincount(_segment(votes, segments)[rows], weights=share, minlength=segments)
        tables.append(sums / max(judged.lists(votes), 1))
    return tuple(tables)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of P(segment)/(number of the segment, from 1)."""
    segments = int(settings.number("segments"))
    parts = []
    for votes, table in zip(pool.votes, settings.tables, strict=True):
        segment = _segment(votes, segments)
        parts.append(looked_up(table, segment) / (segment + 1))
    return pool.total(parts) + pool.total([1e-9 / votes.rank for votes in pool.votes])


RULE = Rule(
    name="probfuse",
    summary="sum of P(segment)/segment, each list being cut into equal segments",
    paper="Lillis, Toolan, Collier and Dunnion, ProbFuse: A Probabilistic Approach to Data Fusion, SIGIR 2006",
    takes="ranks",
    missing="0",
    use="dozens of judged queries and lists of one length",
    params=(Param("segments", 25, "how many segments a list has", low=1, grid=GRID),),
    fuse=fuse,
    learn=learn,
)
