"""Plain decimals, `41.441922`, turned into numbers for a whole column at once.

Up to fifteen digits make a whole number that a float holds exactly, and so is the power of ten it is divided by: the
quotient is then the float nearest to what is written, the one that Python reads. Eight digits are a 64-bit word, of
which three multiplications make a number: neighbours are joined to pairs, pairs to fours, fours to all eight.
"""

from __future__ import annotations

import numpy as np

#: Bytes that must follow the text: a word read from its last byte on reaches so far.
ROOM = 8

_DIGITS = 15
_ZEROS, _DOTS = np.uint64(0x3030303030303030), np.uint64(0x2E2E2E2E2E2E2E2E)
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
#: Added to a byte, sets its highest bit from ten on.
_FROM_TEN = np.uint64(0x7676767676767676)
_TENS = np.array([10**k for k in range(9)], dtype=np.uint64)
_ONE = np.uint64(1)


def plain_decimals(window: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray | None:
    """The decimals in ASCII text at `starts:stops` (n,) as float64 (n,); `window` has the eight bytes from every position.

    None when one is not plain: a minus or nothing, up to seven digits, a dot or nothing, up to eight digits, fifteen in all.
    """
    negative = (window[starts] & np.uint64(0xFF)) == ord("-")
    signed = bool(negative.any())
    if signed:
        starts = starts + negative
    lengths = stops - starts
    words = window[starts]
    differ = words ^ _DOTS
    # The lowest bit of the first byte that is zero now, which was a dot; 0 where there is none.
    dots = (differ - _ONES) & ~differ & _HIGH
    dots &= ~dots + _ONE
    before = np.minimum((np.bitwise_count(dots - _ONE) >> 3).astype(np.int64), lengths)
    behind = np.maximum(lengths - before - 1, 0)
    digits = before + behind
    if before.max(initial=0) > 7 or behind.max(initial=0) > 8 or digits.max(initial=1) > _DIGITS or not digits.all():
        return None
    whole = _aligned(words, before)
    part = _aligned(window[starts + (before + 1)], behind)
    if np.any(((whole + _FROM_TEN) | (part + _FROM_TEN)) & _HIGH):
        return None
    tens = _TENS[behind]
    values = (_number(whole) * tens + _number(part)).astype(np.float64)
    values /= tens.astype(np.float64)
    if signed:
        np.negative(values, out=values, where=negative)
    return values


def _aligned(words: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """The first `digits (n,)` characters of words, less ASCII's zero, moved to a word's end with zeros before them."""
    return (words ^ _ZEROS) << (64 - (digits << 3)).astype(np.uint64)


def _number(digits: np.ndarray) -> np.ndarray:
    """The number that eight digits make, the first in the lowest byte."""
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    low = (pairs & np.uint64(0x000000FF000000FF)) * np.uint64(0x000F424000000064)
    high = ((pairs >> np.uint64(16)) & np.uint64(0x000000FF000000FF)) * np.uint64(0x0000271000000001)
    low += high
    low >>= np.uint64(32)
    return low
