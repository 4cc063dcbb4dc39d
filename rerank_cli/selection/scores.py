"""Where a list is cut by its scores: everything below a least score goes."""

from __future__ import annotations

import numpy as np


def reaching(scores: np.ndarray, least: float) -> int:
    """How many of `scores (n,)`, non-increasing, are `least` or more: the first so many."""
    return int(np.searchsorted(-scores, -least, side="right"))
