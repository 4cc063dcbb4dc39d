"""SlideFuse: as PosFuse, each rank's probability averaged over the ranks around it.

The window smooths what few judged queries leave jagged.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.fusion.judged import Judged
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings
from rerank_cli.fusion.rules.posfuse import looked_up, share_by_rank

#: What tuning tries for the window.
GRID = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)


def learn(pool: Pool, judged: Judged, settings: Settings) -> tuple[np.ndarray, ...]:
    """Per run the smoothed probabilities by rank, (longest list,)."""
    window = int(settings.number("window"))
    tables = []
    for votes in pool.votes:
        raw = share_by_rank(votes, judged)
        sums = np.concatenate([[0.0], np.cumsum(raw)])
        place = np.arange(len(raw))
        low, high = np.maximum(place - window, 0), np.minimum(place + window, len(raw) - 1)
        tables.append((sums[high + 1] - sums[low]) / (high - low + 1))
    return tuple(tables)


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The sum over runs of the smoothed probability learned for the rank; 0 beyond what was learned."""
    return pool.total(
        [looked_up(table, votes.rank - 1) for votes, table in zip(pool.votes, settings.tables, strict=True)]
    )


RULE = Rule(
    name="slidefuse",
    summary="sum of P(rank), averaged over the ranks from window before to window after",
    paper="Lillis, Toolan, Collier and Dunnion, Extending Probabilistic Data Fusion Using Sliding Windows, ECIR 2008",
    takes="ranks",
    missing="0",
    use="dozens of judged queries; the surest of the probabilistic rules",
    params=(Param("window", 10, "ranks on either side that are averaged", low=0, grid=GRID),),
    fuse=fuse,
    learn=learn,
)
