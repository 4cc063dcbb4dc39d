"""Win rate: how often an item wins, averaged over opponents, so that frequent opponents count no more than rare ones."""

from __future__ import annotations

import numpy as np


def win_rate(wins: np.ndarray) -> np.ndarray:
    """The mean over the opponents met of the share of duels won, (n,) in [0, 1], from `wins (n, n)`; 0 for who met none."""
    met = wins + wins.T
    share = np.divide(wins, met, out=np.zeros_like(wins), where=met > 0)
    return np.asarray(share.sum(axis=1) / np.maximum(np.count_nonzero(met, axis=1), 1))
