"""Elo: ratings after every duel in turn, averaged over several seeded orders of the duels (--seed)."""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.elo import elo
from rerank_cli.fusion.ballots import UNRANKED_LOSE, each_duel
from rerank_cli.fusion.pool import Pool
from rerank_cli.fusion.rule import Param, Rule, Settings


def fuse(pool: Pool, settings: Settings) -> np.ndarray:
    """The ratings."""
    step, orders = settings.number("step"), int(settings.number("orders"))
    return each_duel(pool, settings, lambda wins: elo(wins, step, orders, settings.seed))


RULE = Rule(
    name="elo",
    summary="rating around 1000, moved by each duel by its surprise",
    paper="Elo, The Rating of Chessplayers, Past and Present, Arco, 1978",
    takes="ranks",
    missing="nothing: it has no say in duels of what it lacks (unranked_lose=1: it lost them)",
    use="to compare with work that used it; bradley_terry answers the same better",
    fuse=fuse,
    params=(
        UNRANKED_LOSE,
        Param("step", 30, "how far a duel moves a rating", low=0),
        Param("orders", 5, "how many orders of the duels are averaged", low=1),
    ),
    weighted=True,
)
