"""Win rate: in what share of its duels a document was ranked higher, averaged over its opponents."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.win_rate import win_rate
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The mean share of duels won."""
    return each_duel(pool, settings, win_rate)


RULE = Rule(
    name="winrate",
    summary="mean over opponents of the share of duels won",
    paper="Shah and Wainwright, Simple, Robust and Optimal Ranking from Pairwise Comparisons, JMLR 18, 2018",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="many partial lists of one pool; the plainest of the pairwise rules",
    fuse=fuse,
    aliases=("win_rate",),
    params=(UNRANKED_LOSE,),
    weighted=True,
)
