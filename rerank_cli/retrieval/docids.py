"""The ids of an index's documents on disk: number to id, id to number, and the place of each when all are sorted.

docids.bin        the ids end to end           docid_ends.npy   (N,) int64: where each ends
docid_order.npy   (N,) int32: a document's place when ids are sorted by bytes; decides ties
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.core.ids import id_slices, shown
from rerank_cli.errors import BadData


class DocIds:
    """The ids in an index folder, memory-mapped; documents have numbers from 0."""

    def __init__(self, folder: Path) -> None:
        self._ends = np.asarray(np.load(folder / "docid_ends.npy", mmap_mode="r"))
        #: (N,) int32, ascending with the ids' bytes.
        self.order = np.asarray(np.load(folder / "docid_order.npy", mmap_mode="r"))
        self._whole = memoryview(b"")
        if len(self._ends):
            with open(folder / "docids.bin", "rb") as file:
                self._whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def __len__(self) -> int:
        """The number of documents."""
        return len(self._ends)

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The ids (n,) bytes of documents given by number; O(n)."""
        starts = np.where(numbers > 0, self._ends[numbers - 1], 0)
        return id_slices(self._whole, starts, self._ends[numbers])

    def numbers(self, docids: Sequence[bytes]) -> np.ndarray:
        """The numbers (n,) int64 of ids, -1 for one that is not there; O(n log N), and N once."""
        return np.array([self._number(docid) for docid in docids], dtype=np.int64)

    def _number(self, docid: bytes) -> int:
        by_bytes = self._by_bytes
        place = bisect_left(range(len(self)), docid, key=lambda place: self._one(int(by_bytes[place])))
        number = int(by_bytes[place]) if place < len(self) else -1
        return number if number >= 0 and self._one(number) == docid else -1

    @cached_property
    def _by_bytes(self) -> np.ndarray:
        """The documents' numbers (N,) int32 in the order of their ids."""
        numbers = np.empty(len(self), dtype=np.int32)
        numbers[self.order] = np.arange(len(self), dtype=np.int32)
        return numbers

    def _one(self, number: int) -> bytes:
        start = int(self._ends[number - 1]) if number else 0
        return bytes(self._whole[start : int(self._ends[number])])


def write_docids(ids: Sequence[bytes], folder: Path) -> None:
    """Write the ids of N documents into a folder; raises `BadData` when one comes twice. O(N log N)."""
    save_array(folder / "docid_order.npy", order_of(ids))
    save_array(folder / "docid_ends.npy", np.cumsum([len(docid) for docid in ids], dtype=np.int64))
    (folder / "docids.bin").write_bytes(b"".join(ids))


def order_of(ids: Sequence[bytes]) -> np.ndarray:
    """The place (N,) int32 of each id when all are sorted by bytes; raises `BadData` when one comes twice."""
    by_bytes = sorted(range(len(ids)), key=ids.__getitem__)
    for one, other in pairwise(by_bytes):
        if ids[one] == ids[other]:
            raise BadData(
                f"document {shown(ids[one])} is in the corpus twice, as numbers {one + 1} and {other + 1}",
                "a document id may come only once",
            )
    order = np.empty(len(ids), dtype=np.int32)
    order[by_bytes] = np.arange(len(ids), dtype=np.int32)
    return order
