"""Mean and median rank: the plainest ways to join lists, with everything a list lacks standing just below it."""

from __future__ import annotations

import numpy as np


def completed(ranks: np.ndarray) -> np.ndarray:
    """`ranks (m, n)` with the rank k + 1 where a list of k items lacks one (0)."""
    return np.where(ranks > 0, ranks, np.count_nonzero(ranks, axis=1)[:, None] + 1)


def mean_rank(ranks: np.ndarray) -> np.ndarray:
    """Each item's mean rank over all lists, (n,); lower is better."""
    return np.asarray(completed(ranks).sum(axis=0) / max(len(ranks), 1))


def median_rank(ranks: np.ndarray) -> np.ndarray:
    """Each item's median rank over all lists, (n,), of an even number the mean of the two in the middle; lower is better."""
    return np.asarray(np.median(completed(ranks), axis=0)) if len(ranks) else np.zeros(ranks.shape[1])
