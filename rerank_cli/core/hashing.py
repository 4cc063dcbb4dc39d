"""Millions of ids compared at once: 64-bit fingerprints, and tables of them in arrays.

A Python dictionary of seven million ids takes seconds and a gigabyte; a hash of each id in an array takes a
tenth of both. Hashes can collide, so whoever finds two alike compares the ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np


def digest_of(words: Iterable[bytes]) -> str:
    """A short hash of words in their order, 16 hexadecimal digits; where one ends counts."""
    digest = hashlib.blake2b(digest_size=8)
    for word in words:
        digest.update(len(word).to_bytes(8, "little") + word)
    return digest.hexdigest()


def fingerprints(ids: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each (group, id), (n,) uint64: `ids (n,)` of fixed width, `groups (n,)` whole numbers.

    The same pair has the same hash whatever the width of the array. Different pairs share one by
    chance only (1e-5 among ten million pairs), so equal hashes must be checked against the ids. O(n).
    """
    prints = groups.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for column, word in enumerate(_words(ids)):
        mixed = (word ^ prints) * np.uint64(0xFF51AFD7ED558CCD)
        mixed ^= mixed >> np.uint64(32)
        # Behind the first word, one of zeros is padding and changes nothing.
        prints = mixed if column == 0 else np.where(word == 0, prints, mixed)
    return prints


def same_ids(ids: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the ids at positions `one (n,)` are those at `other (n,)`, all of them; `ids` of fixed width. O(n)."""
    return all(bool(np.all(word[one] == word[other])) for word in _words(ids))


def _words(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Fixed-width ids as 64-bit words (n,) one after the other, padded with zeros."""
    width = -(-ids.dtype.itemsize // 8)
    padded = np.ascontiguousarray(ids if ids.dtype.itemsize == width * 8 else ids.astype(f"S{width * 8}"))
    table = padded.view(np.uint64).reshape(len(ids), width)
    for column in range(width):
        yield table[:, column]


def all_differ(prints: np.ndarray) -> bool:
    """Whether no two of `prints (n,)` uint64 are equal; O(n).

    All write their number into a table at a slot that their first bits name; who is overwritten compares
    itself with who did it, and tries again among the overwritten.
    """
    slots = slots_of(prints, spread=4)
    table = np.empty(int(slots.max(initial=0)) + 1, dtype=np.int32)
    while len(prints):
        own = np.arange(len(prints), dtype=np.int32)
        table[slots] = own
        winner = table[slots]
        lost = np.flatnonzero(winner != own)
        if np.any(prints[lost] == prints[winner[lost]]):
            return False
        prints, slots = prints[lost], slots[lost]
    return True


def one_of_each(prints: np.ndarray) -> np.ndarray:
    """For each of `prints (n,)` uint64 the position of one that is equal, (n,) int32: the same for all that are. O(n)."""
    slots = slots_of(prints, spread=2)
    table = np.empty(int(slots.max(initial=0)) + 1, dtype=np.int32)
    position = np.arange(len(prints), dtype=np.int32)
    table[slots] = position
    position = table[slots]
    left = np.flatnonzero(prints != prints[position]).astype(np.int32)
    while len(left):
        own = slots[left]
        table[own] = left
        winner = table[own]
        position[left] = winner
        left = left[prints[left] != prints[winner]]
    return position


def slots_of(prints: np.ndarray, spread: int, size: int | None = None) -> np.ndarray:
    """The first bits of each fingerprint (n,) int64: so many that there are `spread` slots or more for each of `size`."""
    bits = max((len(prints) if size is None else size) * spread, 2).bit_length()
    return (prints >> np.uint64(64 - bits)).astype(np.int64)
