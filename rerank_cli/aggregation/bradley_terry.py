"""Bradley-Terry: strengths such that one item beats another with the odds of their ratio.

Solved by Newman's iteration, which reaches the same answer as Zermelo's of 1929 in far fewer steps. Without a
prior an item that never wins (or never loses) has no finite strength; a virtual win and loss, of small
weight, against a dummy of strength 1 gives it one. Newman updates one item after another; here all move at
once, half the way in logarithms, which keeps the fixed point, does not swing, and treats equals equally.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PRIOR, TOLERANCE, ITERATIONS = 0.1, 1e-6, 100
#: Rows of the matrix taken at once, so that what is worked on stays in the processor's cache.
_BLOCK = 32


def bradley_terry(wins: np.ndarray, prior: float = PRIOR, tolerance: float = TOLERANCE) -> np.ndarray:
    """Strengths (n,) > 0 from `wins (n, n)`; `prior` is the weight of the virtual win and loss, 0 for none.

    They are the most probable ones under that prior; without it the likeliest, scaled to a geometric mean of 1. Stops when no logarithm moves by more than `tolerance`, or after 100 iterations of O(n²).
    Newman, Efficient Computation of Rankings from Pairwise Comparisons, JMLR 24, 2023.
    """
    size = len(wins)
    lost = np.ascontiguousarray(wins.T)

    def ratio(strength: np.ndarray) -> np.ndarray:
        above, below = np.empty(size), np.empty(size)
        for start in range(0, size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            shares = 1.0 / (strength[rows, None] + strength[None, :])
            below[rows] = np.einsum("ij,ij->i", lost[rows], shares)
            shares *= wins[rows]
            above[rows] = shares @ strength
        virtual = prior / (strength + 1.0)
        return np.asarray((above + virtual) / (below + virtual))

    return _fixed_point(ratio, size, prior, tolerance)


def newman(
    wins: np.ndarray, ties: np.ndarray, prior: float = PRIOR, tolerance: float = TOLERANCE
) -> tuple[np.ndarray, float]:
    """Strengths (n,) > 0, scaled as above, and how prone to ties the comparisons are, from `wins` and `ties` (n, n).

    Davidson's model: with s = √(p q), p beats q in p/(p + q + 2vs) and ties in 2vs/(p + q + 2vs). A tie counts in
    both directions of the symmetric `ties`. Newman, JMLR 24, 2023, section 4.
    """
    size = len(wins)
    half = wins + ties / 2
    lost = np.ascontiguousarray(half.T)
    state = {"prone": 0.5}

    def ratio(strength: np.ndarray) -> np.ndarray:
        prone = state["prone"]
        root = np.sqrt(strength)
        above, below = np.empty(size), np.empty(size)
        tied = decided = 0.0
        for start in range(0, size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            both = root[rows, None] * root[None, :]
            sums = strength[rows, None] + strength[None, :]
            whole = sums + 2 * prone * both
            above[rows] = np.einsum("ij,ij->i", half[rows], (strength[None, :] + prone * both) / whole)
            # 1 + v√(q/p) = (p + v√(pq))/p
            below[rows] = np.einsum("ij,ij->i", lost[rows], (strength[rows, None] + prone * both) / whole)
            tied += float((ties[rows] * sums / whole).sum()) / 2
            decided += float((wins[rows] * both / whole).sum())
        below /= strength
        virtual = prior / (strength + 1.0)
        state["prone"] = tied / (2 * decided) if decided > 0 else prone
        return np.asarray((above + virtual) / (below + virtual))

    strength = _fixed_point(ratio, size, prior, tolerance)
    return strength, state["prone"]


def _fixed_point(ratio: Callable[[np.ndarray], np.ndarray], size: int, prior: float, tolerance: float) -> np.ndarray:
    logs = np.zeros(size)
    for _ in range(ITERATIONS if size else 0):
        with np.errstate(divide="ignore"):
            moved = (logs + np.log(ratio(np.exp(logs)))) / 2
        moved -= _scale(moved) if prior > 0 else moved.mean()
        change = float(np.abs(moved - logs).max())
        logs = moved
        if not change > tolerance:
            break
    # Differences below what the iteration settles are ties.
    return np.exp(np.round(logs, 8))


def _scale(logs: np.ndarray) -> float:
    """The common shift at which wins and losses against the dummy balance, Σ tanh((log p - shift)/2) = 0, by bisection.

    The iteration itself finds it only slowly, because the prior is weak.
    """
    low, high = float(logs.min()), float(logs.max())
    for _ in range(60):
        middle = (low + high) / 2
        if np.tanh((logs - middle) / 2).sum() > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
