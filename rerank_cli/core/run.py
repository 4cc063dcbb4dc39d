"""Ranked lists: `Ranking` (one query) and `Run` (many, in columns).

The order inside a query is trec_eval's: score descending as 64-bit float, then docid bytes
descending. It is made when a list is built; a rank is a position, never stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rerank_cli.core.hashing import all_differ, fingerprints
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
        query_of = np.asarray(query_of)
        _refuse_non_finite(scores)
        rows = None
        if not _falls(scores, query_of):
            rows = _by_score(scores, query_of)
            query_of, docids, scores = query_of[rows], docids[rows], scores[rows]
        places, by_docid = _tied(docids, scores, query_of)
        if len(places):
            docids = docids.copy()
            docids[places] = docids[by_docid]
        offsets = np.searchsorted(query_of, np.arange(len(qids) + 1, dtype=query_of.dtype)).astype(np.int64)
        run = cls(tuple(qids), offsets, docids, scores, tag)
        if not run._distinct(query_of):
            order = np.arange(len(scores)) if rows is None else rows
            order[places] = order[by_docid]
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
        if k >= np.diff(self.offsets).max(initial=0):
            return self
        counts = np.minimum(np.diff(self.offsets), k)
        rank = np.arange(len(self.docids)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        keep = rank < k
        return replace(
            self, offsets=np.concatenate([[0], np.cumsum(counts)]), docids=self.docids[keep], scores=self.scores[keep]
        )

    def _distinct(self, query_of: np.ndarray) -> bool:
        """Whether it is certain that no query has a document twice: all fingerprints differ. O(n log n), in blocks."""
        if self.docids.dtype == object:
            return False
        return all(
            all_differ(fingerprints(self.docids[rows], query_of[rows]))
            for rows in blocks_of_lists(self.offsets, 1 << 16)
        )

    def in_single_precision(self) -> Run:
        """The run as an evaluator with 32-bit scores orders it: scores that are equal there are ties, broken by docid."""
        limit = np.finfo(np.float32).max
        singles = np.clip(self.scores, -limit, limit).astype(np.float32).astype(np.float64)
        query_of = np.repeat(np.arange(len(self.qids)), np.diff(self.offsets))
        return Run.build(self.qids, query_of, self.docids, singles, self.tag)

    def turned_round(self) -> Run:
        """The run with its scores negated, for scores of which the lowest is best (distances)."""
        query_of = np.repeat(np.arange(len(self.qids)), np.diff(self.offsets))
        return Run.build(self.qids, query_of, self.docids, -self.scores, self.tag)

    def _refuse_doubled(self, order: np.ndarray) -> None:
        """Raise `BadRow` when a query has a document twice; `order (N,)` is the row of the input that stands at a place."""
        for position, qid in enumerate(self.qids):
            start, stop = int(self.offsets[position]), int(self.offsets[position + 1])
            rows = order[start:stop]
            doubled = _doubled_row(self.docids[start:stop], rows)
            if doubled is not None:
                again = self.docids[start:stop][np.flatnonzero(rows == doubled)[0]]
                raise BadRow(doubled, f"document {shown(bytes(again))} appears twice for query {shown(qid)}")


def blocks_of_lists(offsets: np.ndarray, rows: int = 1 << 18) -> Iterator[slice]:
    """Cut lists `offsets (Q+1,)` into blocks of whole lists, each of about `rows` rows (one list may have more).

    Arrays of this size stay in a processor's cache, and the memory that work on them takes is bounded.
    """
    start = 0
    while start < offsets[-1]:
        stop = int(offsets[np.searchsorted(offsets, start + rows, side="right") - 1])
        if stop <= start:
            stop = int(offsets[np.searchsorted(offsets, start, side="right")])
        yield slice(start, stop)
        start = stop


def canonical_order(docids: np.ndarray, scores: np.ndarray, query_of: np.ndarray | None = None) -> np.ndarray:
    """The permutation (n,) that sorts by query (where `query_of (n,)` is given), score descending, docid bytes descending.

    Ids are compared only where scores are equal, so a list that came by score costs O(n).
    """
    queries = np.zeros(len(scores), dtype=np.int8) if query_of is None else query_of
    if _falls(scores, queries):
        order = np.arange(len(scores))
        places, by_docid = _tied(docids, scores, queries)
    else:
        order = _by_score(scores, queries)
        places, by_docid = _tied(docids, scores[order], queries[order], order)
    order[places] = order[by_docid]
    return order


def _falls(scores: np.ndarray, queries: np.ndarray) -> bool:
    """Whether rows stand query after query, scores never rising inside one."""
    before, after = queries[:-1], queries[1:]
    return bool(np.all((after > before) | ((after == before) & (scores[1:] <= scores[:-1]))))


def _by_score(scores: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The permutation that sorts by query, then score descending; of equal ones in any order."""
    lowest, highest = int(queries.min(initial=0)), int(queries.max(initial=0))
    if highest - lowest <= np.iinfo(np.uint16).max:
        # numpy sorts 16-bit numbers digit by digit, in linear time.
        queries = (queries - lowest).astype(np.uint16)
    order = np.argsort(queries, kind="stable")
    queries = queries[order]
    starts = np.flatnonzero(np.append(True, queries[1:] != queries[:-1]))
    lengths = np.diff(starts, append=len(scores))
    longest = int(lengths.max(initial=0))
    if longest * len(starts) > 2 * len(scores):
        by_score = np.argsort(-scores[order])
        by_query = np.argsort(queries[by_score], kind="stable")
        return np.asarray(order[by_score[by_query]])
    # Short lists, a row each, are sorted in half the time of all in one.
    inside = np.arange(longest) < lengths[:, None]
    table = np.full(inside.shape, np.inf)
    table[inside] = -scores[order]
    places = np.argsort(table, axis=1)
    places += starts[:, None]
    return np.asarray(order[places[inside]])


def _tied(
    docids: np.ndarray, scores: np.ndarray, queries: np.ndarray, order: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Places with the score of a neighbour, whose ids do not fall, and the places whose rows belong there by docid.

    Rows are sorted by query and score; `order (n,)` says which docid stands at a place where `docids` is not sorted too.
    """
    equal = np.flatnonzero((queries[1:] == queries[:-1]) & (scores[1:] == scores[:-1]))
    if not len(equal):
        return equal, equal
    starts = np.flatnonzero(np.append(True, np.diff(equal) > 1))
    stretch = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(equal)) + 1)
    places = np.insert(equal, np.append(starts[1:], len(equal)), equal[np.append(starts[1:], len(equal)) - 1] + 1)
    own = docids[places if order is None else order[places]]
    if np.all((own[1:] < own[:-1]) | (stretch[1:] != stretch[:-1])):
        return equal[:0], equal[:0]
    by_docid = np.argsort(own, kind="stable")[::-1]
    return places, places[by_docid[np.argsort(stretch[by_docid], kind="stable")]]


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
