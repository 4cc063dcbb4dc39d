"""Elo: ratings that move after every game by how surprising its outcome was.

Made for players who change; for a fixed set of comparisons the order of the games is an accident, so several
seeded orders are averaged. Bradley-Terry answers the same question without the accident.
"""

from __future__ import annotations

import numpy as np

START, SCALE = 1000.0, 400.0


def elo(wins: np.ndarray, step: float = 30.0, orders: int = 5, seed: int = 0) -> np.ndarray:
    """Ratings (n,) around 1000 from `wins (n, n)`: `step` is Elo's K, `orders` how many schedules are averaged.

    A schedule is a round robin: in each of its rounds everybody plays one opponent at most, so a round is one array
    operation; the games of a pair are settled together. O(orders · n²).
    Elo, The Rating of Chessplayers, Past and Present, Arco, 1978.
    """
    size = len(wins)
    rng = np.random.default_rng(seed)
    total = np.zeros(size)
    for _ in range(orders):
        total += _one_order(wins, step, rng)
    return np.asarray(total / orders)


def _one_order(wins: np.ndarray, step: float, rng: np.random.Generator) -> np.ndarray:
    """The circle method: one seat stays, the others move on by one each round."""
    size = len(wins)
    seats = size + size % 2
    circle = rng.permutation(seats)
    rating = np.full(size, START)
    for turn in rng.permutation(seats - 1) if seats else ():
        round_ = np.concatenate([circle[:1], np.roll(circle[1:], int(turn))])
        one, other = round_[: seats // 2], round_[: seats // 2 - 1 : -1]
        real = (one < size) & (other < size)
        one, other = one[real], other[real]
        won, lost = wins[one, other], wins[other, one]
        expected = 1.0 / (1.0 + 10.0 ** ((rating[other] - rating[one]) / SCALE))
        change = step * (won - (won + lost) * expected)
        rating[one] += change
        rating[other] -= change
    return rating
