"""The smallest steps that make tied scores strictly decreasing, and the way back.

Evaluators break ties differently and some read scores as 32-bit floats. A written list is
therefore strictly decreasing in float32; a reader that normalises scores treats neighbours
one such step apart as the tie they were.
"""

from __future__ import annotations

import numpy as np


def separate(scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Make a non-increasing list strictly decreasing as float32; returns (scores float64 (n,), how many were moved).

    A score that is already below its predecessor in float32 is returned unchanged, bit for bit.
    Cost: O(n); vectorised unless there are ties.
    """
    values = np.array(scores, dtype=np.float64)
    with np.errstate(over="ignore"):
        singles = values.astype(np.float32)
    tied = np.flatnonzero(singles[1:] >= singles[:-1]) + 1
    moved = 0
    position = 0
    for start in tied.tolist():
        position = max(position, start)
        while position < len(values) and np.float32(values[position]) >= np.float32(values[position - 1]):
            values[position] = float(np.nextafter(np.float32(values[position - 1]), np.float32(-np.inf)))
            moved += 1
            position += 1
    return values, moved


def joined(scores: np.ndarray, offsets: np.ndarray | None = None) -> np.ndarray:
    """Undo `separate`: neighbours one float32 step (or less) apart get the score of the first of them.

    `scores (n,)` non-increasing; returns float64 (n,). A group is a chain of such steps. With
    `offsets (Q+1,)` the rows are Q lists one after the other, each non-increasing by itself.
    """
    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 2:
        return values.copy()
    with np.errstate(over="ignore"):
        singles = values.astype(np.float32)
    one_below = np.nextafter(singles[:-1], np.float32(-np.inf))
    starts = np.concatenate([[True], singles[1:] < one_below])
    if offsets is not None:
        starts[offsets[:-1][offsets[:-1] < len(values)]] = True
    return values[np.maximum.accumulate(np.where(starts, np.arange(len(values)), 0))]
