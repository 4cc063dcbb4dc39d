"""Ranked lists: `Ranking` (one query) and `Run` (many, in columns).

The order inside a query is trec_eval's: score descending as 64-bit float, then docid bytes
descending. It is made when a list is built; a rank is a position, never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rerank_cli.core.ids import id_array, shown
from rerank_cli.errors import BadRow


@dataclass(frozen=True, eq=False)
class Ranking:
    """One query's list, best first: `docids (n,)` bytes, `scores (n,)` float64, non-increasing."""

    qid: bytes
    docids: np.ndarray
    scores: np.ndarray

    @classmethod
    def build(cls, qid: bytes, docids: Sequence[bytes], scores: Sequence[float]) -> Ranking:
        """Sort by the canonical order; raises `BadRow` on a doubled docid or a score that is not finite."""
        ids, values = id_array(docids), np.asarray(scores, dtype=np.float64)
        _refuse_non_finite(values)
        order = canonical_order(ids, values)
        ids, values = ids[order], values[order]
        doubled = _doubled_row(ids, order)
        if doubled is not None:
            raise BadRow(
                doubled,
                f"document {shown(bytes(ids[np.flatnonzero(order == doubled)[0]]))} appears twice for query {shown(qid)}",
            )
        return cls(qid, ids, values)

    def __len__(self) -> int:
        return len(self.docids)

    def top(self, k: int) -> Ranking:
        """The first k documents."""
        return replace(self, docids=self.docids[:k], scores=self.scores[:k])

    def reordered(self, order: Sequence[int] | np.ndarray, scores: np.ndarray) -> Ranking:
        """The same documents in another order: `order (n,)` positions, `scores (n,)` already in the new order."""
        return replace(
            self, docids=self.docids[np.asarray(order, dtype=np.intp)], scores=np.asarray(scores, dtype=np.float64)
        )


@dataclass(frozen=True, eq=False)
class Run:
    """Many ranked lists in columns: query q owns rows `offsets[q]:offsets[q+1]`.

    `qids` (Q) bytes in the order of first appearance, `offsets (Q+1,)` int64, `docids (N,)` bytes,
    `scores (N,)` float64. Sorted canonically, docids unique inside a query, scores finite.
    """

    qids: tuple[bytes, ...]
    offsets: np.ndarray
    docids: np.ndarray
    scores: np.ndarray
    tag: str = "rerank"

    @classmethod
    def build(
        cls, qids: Sequence[bytes], query_of: np.ndarray, docids: np.ndarray, scores: np.ndarray, tag: str = "rerank"
    ) -> Run:
        """Make a run from rows in any order.

        `query_of (N,)` says which of `qids` a row belongs to. Costs O(N) when the rows come sorted,
        O(N log N) otherwise. Raises `BadRow` (row = position in the input) on a doubled docid or a
        score that is not finite.
        """
        scores = np.ascontiguousarray(scores, dtype=np.float64)
        query_of = np.asarray(query_of, dtype=np.int64)
        _refuse_non_finite(scores)
        order = None
        if not _is_canonical(query_of, docids, scores):
            order = canonical_order(docids, scores, query_of)
            query_of, docids, scores = query_of[order], docids[order], scores[order]
        offsets = np.searchsorted(query_of, np.arange(len(qids) + 1), side="left").astype(np.int64)
        run = cls(tuple(qids), offsets, docids, scores, tag)
        run._refuse_doubled(order)
        return run

    @classmethod
    def of(cls, rankings: Iterable[Ranking], tag: str = "rerank") -> Run:
        """Join rankings, each already canonical, of distinct queries."""
        parts = list(rankings)
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        docids = id_array([bytes(d) for part in parts for d in part.docids])
        scores = np.concatenate([part.scores for part in parts]) if parts else np.empty(0)
        return cls(tuple(part.qid for part in parts), offsets, docids, scores, tag)

    def __len__(self) -> int:
        """The number of queries."""
        return len(self.qids)

    def __iter__(self) -> Iterator[Ranking]:
        for position, qid in enumerate(self.qids):
            rows = slice(self.offsets[position], self.offsets[position + 1])
            yield Ranking(qid, self.docids[rows], self.scores[rows])

    def __getitem__(self, qid: bytes) -> Ranking:
        position = self._position[qid]
        rows = slice(self.offsets[position], self.offsets[position + 1])
        return Ranking(qid, self.docids[rows], self.scores[rows])

    def __contains__(self, qid: bytes) -> bool:
        return qid in self._position

    @cached_property
    def _position(self) -> dict[bytes, int]:
        return {qid: position for position, qid in enumerate(self.qids)}

    def top(self, k: int) -> Run:
        """The first k documents of every query."""
        counts = np.minimum(np.diff(self.offsets), k)
        rank = np.arange(len(self.docids)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        keep = rank < k
        return replace(
            self, offsets=np.concatenate([[0], np.cumsum(counts)]), docids=self.docids[keep], scores=self.scores[keep]
        )

    def _refuse_doubled(self, order: np.ndarray | None) -> None:
        for position, qid in enumerate(self.qids):
            start, stop = int(self.offsets[position]), int(self.offsets[position + 1])
            rows = np.arange(start, stop) if order is None else order[start:stop]
            doubled = _doubled_row(self.docids[start:stop], rows)
            if doubled is not None:
                again = self.docids[start:stop][np.flatnonzero(rows == doubled)[0]]
                raise BadRow(doubled, f"document {shown(bytes(again))} appears twice for query {shown(qid)}")


def canonical_order(docids: np.ndarray, scores: np.ndarray, query_of: np.ndarray | None = None) -> np.ndarray:
    """The permutation (n,) that sorts by query (where `query_of (n,)` is given), score descending, docid bytes descending.

    Ids are compared only where scores are equal, so a list that came by score costs O(n).
    """
    queries = np.zeros(len(scores), dtype=np.int64) if query_of is None else query_of
    order = np.arange(len(scores))
    same_query = queries[1:] == queries[:-1]
    if not np.all(np.where(same_query, scores[1:] <= scores[:-1], queries[1:] > queries[:-1])):
        order = np.lexsort((-scores, queries))
    queries, scores = queries[order], scores[order]
    tied = (queries[1:] == queries[:-1]) & (scores[1:] == scores[:-1])
    places = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
    if len(places):
        stretch = np.cumsum(np.append(False, ~tied))[places]
        rows = order[places]
        by_docid = np.argsort(docids[rows], kind="stable")[::-1]
        order[places] = rows[by_docid[np.argsort(stretch[by_docid], kind="stable")]]
    return order


def _is_canonical(query_of: np.ndarray, docids: np.ndarray, scores: np.ndarray) -> bool:
    if len(scores) < 2:
        return True
    same_query = query_of[1:] == query_of[:-1]
    falls = scores[1:] < scores[:-1]
    ties = np.flatnonzero(same_query & (scores[1:] == scores[:-1]))
    falls[ties] = docids[ties + 1] < docids[ties]
    return bool(np.all(np.where(same_query, falls, query_of[1:] > query_of[:-1])))


def _refuse_non_finite(scores: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise BadRow(int(bad[0]), f"the score {scores[bad[0]]} is not a finite number")


def _doubled_row(docids: np.ndarray, rows: np.ndarray) -> int | None:
    """The later row of the first doubled docid, or None; one hash pass, a sort only on the way to the message."""
    if len(set(docids.tolist())) == len(docids):
        return None
    first_row: dict[bytes, int] = {}
    for row, docid in sorted(zip(rows.tolist(), docids.tolist(), strict=True)):
        if docid in first_row:
            return int(row)
        first_row[docid] = row
    raise AssertionError("a doubled docid was counted but not found")
