"""MC4: a walk over the items that moves when a majority of the lists agrees with the move.

From where it stands the walk draws any item; if most of the lists that rank both prefer the drawn one, it goes there.
A generalisation of Copeland that looks at whom an item beats, not only how many.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.aggregation.pairs import settled


def mc4(wins: np.ndarray, teleport: float = 0.05) -> np.ndarray:
    """Share of time, (n,) adding up to 1, from `wins (n, n)`; with `teleport` in (0, 1] the walk jumps anywhere.

    The jump makes the answer unique. One LU factorisation, O(n³).
    Dwork, Kumar, Naor and Sivakumar, Rank Aggregation Methods for the Web, WWW 2001.
    """
    size = len(wins)
    if not size:
        return np.empty(0)
    moves = (wins < wins.T) / size
    np.fill_diagonal(moves, 1.0 - moves.sum(axis=1))
    share = np.linalg.solve(np.eye(size) - (1 - teleport) * moves.T, np.full(size, teleport / size))
    return settled(np.asarray(share / share.sum()))
