"""Ids are bytes: arrays of them, and how they are shown to people.

A query or document id is whatever stood between two blanks. Nothing decodes it until it is shown,
so an id that is not UTF-8 leaves as it came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

#: A fixed-width array may take this many times the bytes of the ids themselves, not more.
_PADDING_LIMIT = 4
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def id_array(ids: Sequence[bytes]) -> np.ndarray:
    """Return `ids` as an array (n,) of bytes: fixed width (`S`), or objects when one long id would make that wasteful."""
    if not len(ids):
        return np.empty(0, dtype="S1")
    if isinstance(ids, np.ndarray):
        return ids
    longest = max(map(len, ids))
    if _wasteful(longest, len(ids), sum(map(len, ids))):
        out = np.empty(len(ids), dtype=object)
        out[:] = ids
        return out
    return np.array(ids, dtype=f"S{max(longest, 1)}")


def parent_of(one: bytes, separator: bytes) -> bytes:
    """What stands before the last separator: the query that a sub-query is of, a passage's document; the whole id where there is none."""
    return one.rpartition(separator)[0] or one


def id_slices(whole: memoryview, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The ids (n,) that lie end to end in `whole`, each from its start to its end; as `id_array` has them."""
    lengths = ends - starts
    longest = int(lengths.max(initial=0))
    if not longest or _wasteful(longest, len(lengths), int(lengths.sum())):
        return id_array([bytes(whole[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    places = np.arange(longest)
    held = places < lengths[:, None]
    letters = np.zeros(held.shape, dtype=np.uint8)
    letters[held] = np.frombuffer(whole, dtype=np.uint8)[(starts[:, None] + places)[held]]
    return letters.view(f"S{longest}").ravel()


def _wasteful(longest: int, ids: int, taken: int) -> bool:
    return longest * ids > _PADDING_LIMIT * taken + 4096


def joined_ids(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of ids in one; as objects where one of them is, or where a few long ids would widen all the others."""
    arrays = list(parts)
    if not arrays:
        return np.empty(0, dtype="S1")
    taken = sum(array.nbytes for array in arrays)
    if len({array.dtype for array in arrays}) > 1:
        width = max(array.itemsize for array in arrays)
        objects = any(array.dtype == object for array in arrays)
        if objects or width * sum(map(len, arrays)) > _PADDING_LIMIT * taken + 4096:
            arrays = [array.astype(object) for array in arrays]
    return np.concatenate(arrays)


def shown(identifier: bytes) -> str:
    """Return an id as text for a message; bytes that are not UTF-8, control characters and line ends appear as escapes."""
    return one_line(bytes(identifier).decode("utf-8", "backslashreplace"))


def first_few(identifiers: Sequence[bytes]) -> str:
    """The first three of some ids as a message names them, and that there are more."""
    return ", ".join(map(shown, identifiers[:3])) + ", …" * (len(identifiers) > 3)


def one_line(text: str) -> str:
    """Text that a message may quote: what would end a line or steer a terminal appears as escapes."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
