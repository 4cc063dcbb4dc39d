"""Maximal marginal relevance: the next document is relevant and unlike those that are chosen already.

J. Carbonell, J. Goldstein: The use of MMR, diversity-based reranking for reordering documents and producing
summaries. SIGIR 1998.
"""

from __future__ import annotations

import numpy as np


def mmr(relevance: np.ndarray, vectors: np.ndarray, balance: float, k: int) -> np.ndarray:
    """Positions (min(k, n),) in the order chosen: each time the greatest balance * relevance - (1 - balance) * closeness.

    `relevance (n,)` from 0 to 1; `vectors (n, d)` of length one; closeness is the greatest cosine with a document chosen
    before, 0 for the first. Of equals the first of the list is taken. O(k n d).
    """
    n = len(relevance)
    chosen = np.empty(min(k, n), dtype=np.intp)
    closeness = np.zeros(n)
    left = np.ones(n, dtype=bool)
    for place in range(len(chosen)):
        gain = balance * relevance - (1 - balance) * closeness
        best = int(np.argmax(np.where(left, gain, -np.inf)))
        chosen[place], left[best] = best, False
        nearness = (vectors @ vectors[best]).astype(np.float64)
        closeness = np.maximum(closeness, nearness) if place else nearness
    return chosen
