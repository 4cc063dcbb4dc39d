"""The k best of many scores, exactly: also which of the documents tied at the last place come in."""

from __future__ import annotations

import numpy as np


def top_k(scores: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    """The positions (min(k, n),) of the best scores, best first; of equal scores the greatest `order` comes first.

    `scores (n,)`, `order (n,)` distinct integers: with the places of the docids sorted by bytes this
    is the canonical order of runs. O(n + k log k).
    """
    if k <= 0:
        return np.empty(0, dtype=np.intp)
    chosen = np.arange(len(scores))
    if len(scores) > k:
        last = np.partition(scores, len(scores) - k)[len(scores) - k]
        above, tied = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
        places = k - len(above)
        if places < len(tied):
            tied = tied[np.argpartition(order[tied], len(tied) - places)[len(tied) - places :]]
        chosen = np.concatenate([above, tied])
    return chosen[np.lexsort((-order[chosen].astype(np.int64), -scores[chosen]))]
