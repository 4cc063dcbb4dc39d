"""BayesFuse: the logarithm of the odds that a document at this rank is relevant, added up as independent evidence.

Odds are learned for stretches of ranks, and held between 0.001 and 0.999, so that what a run retrieves at the
very end never counts less than what it lacks. Beyond rank 1000 the last stretch goes on. All of a stretch have
the same odds; a billionth of the sum of 1/rank keeps them in their order, where the paper leaves it open.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings

#: The last rank of each stretch.
ENDS = np.array([5, 10, 15, 20, 30, 100, 200, 500, 1000])
#: Probabilities stay between this and one minus this.
LEAST = 0.001


def _stretch(rank: np.ndarray) -> np.ndarray:
    return np.minimum(np.searchsorted(ENDS, rank), len(ENDS) - 1)


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run the log odds of each stretch of ranks, (9,)."""
    tables = []
    for votes in pool.votes:
        rows, hit = judged.hits(votes)
        sums = np.bincount(_stretch(votes.rank[rows]), weights=hit, minlength=len(ENDS))
        share = np.clip(sums / np.diff(ENDS, prepend=0) / max(judged.lists(votes), 1), LEAST, 1 - LEAST)
        tables.append(np.log(share / (1 - share)))
    return tuple(tables)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of the log odds of the rank, and of the lowest odds where a run lacks the document."""
    lowest = np.log(LEAST / (1 - LEAST))
    pairs = zip(pool.votes, settings.tables, strict=True)
    found = pool.total([table[_stretch(votes.rank)] - lowest for votes, table in pairs])
    order = pool.total([1e-9 / votes.rank for votes in pool.votes])
    return found + lowest * len(pool.votes) + order


RULE = Rule(
    name="bayesfuse",
    summary="sum of ln(P/(1 - P)), P the precision of the stretch of ranks up to 5, 10, 15, 20, 30, 100, 200, 500, 1000",
    paper="Aslam and Montague, Models for Metasearch, SIGIR 2001",
    takes="ranks",
    missing="ln(0.001/0.999) = -6.907",
    use="judged queries and runs that err independently",
    fuse=fuse,
    learn=learn,
)
