"""Copeland: who wins more duels than it loses. The deterministic reading of a Condorcet order.

Sorting with a majority comparator (Montague and Aslam, Condorcet Fusion, CIKM 2002) is well defined only where
majorities form no cycle and no pair ties; counting duels needs neither, and puts a Condorcet winner first.
"""

from __future__ import annotations

import numpy as np


def copeland(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Duels won minus duels lost (n,), and the margins of all duels added up (n,), from `wins (n, n)`. O(n²).

    Copeland, A Reasonable Social Welfare Function, University of Michigan seminar, 1951.
    """
    margins = wins - wins.T
    return np.sign(margins).sum(axis=1), margins.sum(axis=1)
