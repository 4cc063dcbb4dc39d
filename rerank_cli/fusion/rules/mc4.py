"""MC4: the share of time of a walk that moves to a document whenever a majority prefers it.

Of the four Markov chains of its paper the one that did best on the web.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.mc4 import mc4
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The walk's share of time."""
    teleport = settings.number("teleport")
    return each_duel(pool, settings, lambda wins: mc4(wins, teleport))


RULE = Rule(
    name="mc4",
    summary="share of time of a walk that moves when a majority of runs agrees",
    paper="Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="several runs, some of which are spam or wild",
    fuse=fuse,
    params=(UNRANKED_LOSE, Param("teleport", 0.05, "how often the walk jumps anywhere", low=1e-6, high=1)),
    weighted=True,
)
