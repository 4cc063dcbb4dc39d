"""The smallest steps that make tied scores strictly decreasing, and the way back.

Evaluators break ties differently and some read scores as 32-bit floats. A written list is
therefore strictly decreasing in float32; a reader that normalises scores treats neighbours
one such step apart as the tie they were.
"""

from __future__ import annotations

import numpy as np


def separate(scores: np.ndarray, offsets: np.ndarray | None = None) -> tuple[np.ndarray, int]:
    """Make a non-increasing list strictly decreasing as float32; returns (scores float64 (n,), how many were moved).

    A score that is already below its predecessor in float32 is returned unchanged, bit for bit. With
    `offsets (Q+1,)` the rows are Q lists one after the other. O(n).
    """
    values = np.array(scores, dtype=np.float64)
    with np.errstate(over="ignore"):
        singles = values.astype(np.float32)
    starts = np.zeros(len(values) + 1, dtype=bool)
    starts[[0] if offsets is None else offsets[:-1]] = True
    starts = starts[:-1]
    if np.all((singles[1:] < singles[:-1]) | starts[1:]):
        return values, 0
    # Finite floats as whole numbers in the same order: the next float below is the next number below.
    bits = singles.view(np.int32).astype(np.int64)
    numbers = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    # Each is its own number or one less than the one before it, whichever is lower: a running minimum once the place is
    # added. Lists are kept apart by a distance that no number reaches.
    shift = np.arange(len(values)) - (np.cumsum(starts) << 34)
    lowered = np.minimum.accumulate(numbers + shift) - shift
    moved = np.flatnonzero(lowered != numbers)
    steps = lowered[moved]
    bits = np.where(steps < 0, -steps - 0x80000000, steps).astype(np.int32)
    with np.errstate(invalid="ignore"):
        values[moved] = bits.view(np.float32)
    return values, len(moved)


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
