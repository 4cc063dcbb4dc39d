"""Preferences of a model that compares two documents and minds which of them it is shown first.

`p (n, n)` holds P(row beats column) as the model said it when the row's document was presented first, NaN where it was
not asked; the diagonal is NaN. A model that prefers whatever comes first has p[i, j] + p[j, i] > 1, so the rules here
differ in what they make of the two answers to one pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank_cli.aggregation.pairs import ROUNDING_BITS, settled

#: Probabilities nearer to 0 than float64 tells 1 - p from 1 have the logarithm of this.
_LEAST = float(np.finfo(np.float64).epsneg)


def preferences(n: int, first: np.ndarray, second: np.ndarray, answers: Sequence[np.ndarray]) -> np.ndarray:
    """The table p (n, n) from duels: `first (k,)` was presented before `second (k,)`, `answers` are k arrays of two values.

    Two values that add up to 1 are probabilities. Any others say only which is higher: 1, a half when they are equal, or
    0. A document that alone was named has won; with two NaN nothing is known.
    """
    table = np.full((n, n), np.nan)
    if not len(answers):
        return table
    values = np.concatenate(answers).reshape(-1, 2)
    shares = (np.abs(values.sum(axis=1) - 1.0) < 1e-6) & (values >= 0.0).all(axis=1)
    height = np.where(np.isnan(values), -np.inf, values)
    outcome = 0.5 * (height[:, 0] > height[:, 1]) + 0.5 * (height[:, 0] >= height[:, 1])
    outcome[np.isnan(values).all(axis=1)] = np.nan
    table[first, second] = np.where(shares, values[:, 0], outcome)
    return table


def soft_wins(p: np.ndarray) -> np.ndarray:
    """Wins (n, n): what the row won when it came first and when it came second, p + (1 - p)ᵀ; what is not known adds nothing."""
    return np.nan_to_num(p) + np.nan_to_num(1.0 - p).T


def shares(wins: np.ndarray) -> np.ndarray:
    """The share of duels that the row won of the column, (n, n), NaN where they never met."""
    met = wins + wins.T
    return np.divide(wins, met, out=np.full(wins.shape, np.nan), where=met > 0)


def both_known(p: np.ndarray) -> np.ndarray:
    """`p` where a pair asked in one order only answers the other order alike: 1 - p."""
    return np.where(np.isnan(p), 1.0 - p.T, p)


def calibrated(p: np.ndarray) -> np.ndarray:
    """Wins 1 and losses 0, (n, n): of two documents the one wins that does better in the first place; equals as they came.

    The answer to (i, j) and the answer to (j, i) are compared with each other instead of with a half, so that a model's
    liking for the first place falls out and no pair contradicts itself.
    Zeng, Tendolkar, Baartmans et al., LLM-RankFusion: Mitigating Intrinsic Inconsistency in LLM-based Ranking, arXiv:2406.00231.
    """
    known = both_known(p)
    won = (known > known.T) | ((known == known.T) & np.triu(np.ones(p.shape, bool), 1))
    return np.where(np.isnan(known), np.nan, won.astype(float))


def consistent(p: np.ndarray) -> np.ndarray:
    """Wins 1, losses 0 and ties a half, (n, n): a document wins when it does in both orders; two orders that disagree tie."""
    known = both_known(p)
    won = (known > 0.5) & (known.T < 0.5)
    return np.where(np.isnan(known), np.nan, 0.5 + 0.5 * won - 0.5 * won.T)


def row_sums(table: np.ndarray) -> np.ndarray:
    """Each row added up, (n,); NaN adds nothing."""
    return settled(np.nansum(table, axis=1), ROUNDING_BITS)


def log_sum(p: np.ndarray, both_sides: bool) -> np.ndarray:
    """Σ log p[i, j] by row, (n,), and with `both_sides` + log(1 - p[j, i]).

    A pair that was not asked counts as even, because to add nothing would be to win it.
    """
    even = np.where(np.isnan(p), 0.5, p)
    logs = np.log(np.maximum(even, _LEAST))
    if both_sides:
        logs += np.log(np.maximum(1.0 - even.T, _LEAST))
    np.fill_diagonal(logs, 0.0)
    return row_sums(logs)


def extreme(p: np.ndarray, least: bool) -> np.ndarray:
    """The lowest of each row's known values (n,), or the highest; of a row without one a half, which says nothing."""
    known = ~np.isnan(p)
    found = np.where(known, p, np.inf).min(axis=1) if least else np.where(known, p, -np.inf).max(axis=1)
    return np.where(known.any(axis=1), found, 0.5)
