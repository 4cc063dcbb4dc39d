"""Passages made into documents: one score from several, whether a model gave them just now or a run holds them."""

from __future__ import annotations

import numpy as np

from rerank_cli.core.ids import parent_of, shown
from rerank_cli.core.run import Ranking
from rerank_cli.errors import BadData


def aggregated(scores: np.ndarray, starts: np.ndarray, how: str) -> np.ndarray:
    """One score a document: `scores (p,)` of passages, document d owning those from `starts[d]` on; `how` is max, mean, first or sum."""
    if not len(scores) or how == "first":
        return scores[starts]
    if how == "max":
        return np.maximum.reduceat(scores, starts)
    sums = np.add.reduceat(scores, starts)
    return sums if how == "sum" else sums / np.diff(starts, append=len(scores))


def documents_of(ranking: Ranking, separator: bytes, how: str) -> Ranking:
    """A list of passages DOC#0, DOC#1, ... as a list of documents, in canonical order; an id without `separator` is a document.

    `first` is the passage of the lowest number in the list; raises `BadData` where what follows the separator is no number.
    """
    rows: dict[bytes, list[int]] = {}
    docids = ranking.docids.tolist()
    for row, docid in enumerate(docids):
        rows.setdefault(parent_of(docid, separator), []).append(row)
    if how == "first":
        for parent, own in rows.items():
            own.sort(key=lambda row: _number(docids[row], parent, separator, ranking.qid))
    starts = np.cumsum([0, *map(len, rows.values())])[:-1]
    flat = np.array([row for own in rows.values() for row in own], dtype=np.intp)
    return Ranking.build(ranking.qid, list(rows), aggregated(ranking.scores[flat], starts, how).tolist())


def _number(docid: bytes, parent: bytes, separator: bytes, qid: bytes) -> int:
    """Which passage of its document; the document itself stands before all."""
    number = docid[len(parent) + len(separator) :]
    if docid != parent and not number.isdigit():
        raise BadData(
            f"passage {shown(docid)} of query {shown(qid)} has no number behind {shown(separator)!r}",
            "to find the first passage of a document they must be numbered",
        )
    return -1 if docid == parent else int(number)
