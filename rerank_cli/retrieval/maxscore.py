"""The k best sums of postings, without adding up what cannot matter.

Terms are taken strongest first: the rarer a term, the more it gives and the fewer documents hold it. As soon
as all the terms that remain could not together lift a new document to the k-th best sum so far, they are looked
up only in the documents that still can get there. The lists are those of adding everything up: a bound on what
a term gives is never below it, and what is left out is below the last place.

H. Turtle, J. Flood: Query evaluation: strategies and optimizations. IPM 31(6), 1995 (MaxScore, term at a time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rerank_cli.retrieval.topk import top_k

#: A sum is compared with another as if it were this much larger: they are rounded to 32 bits in the end.
_ROUNDING = 1 + 1e-6
#: Looking a document up among a term's by bisection costs as much as passing by this many of them.
_BISECTION = 16
#: What a part that rounds to nothing counts, so that its document is known to be found; too little to show in 32 bits.
_LEAST = np.float32(1e-30)


class Weighted(NamedTuple):
    """A term of a query: `documents (df,)` int32 ascending that hold it, and what it gives them.

    `parts(rows)` are float32, one for each of the rows (a slice of or an index into `documents`); none is negative or above `bound`.
    """

    documents: np.ndarray
    parts: Callable[[np.ndarray | slice], np.ndarray]
    bound: float


def best_documents(
    terms: Sequence[Weighted], k: int, order: np.ndarray, sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The k best documents that hold a term: numbers (n,) and scores (n,) float32, summed in 64 bits, in canonical order.

    `order (N,)` decides ties, see `top_k`. `sums (N,)` float64 is room to work in: zeros, and left so.
    """
    terms = sorted(terms, key=lambda term: -term.bound) if k > 0 else []
    bounds = np.cumsum([0.0, *(term.bound for term in terms)])
    found, added = np.empty(0, dtype=np.intp), 0
    able, last = found, 0.0
    while added < len(terms):
        rest = bounds[-1] - bounds[added]
        if len(found) >= k and rest < bounds[added]:
            totals = sums[found]
            above = totals[totals > rest * _ROUNDING]
            if len(above) >= k:
                last = float(np.partition(above, len(above) - k)[len(above) - k]) / _ROUNDING
                able = found[totals >= last - rest]
                break
        able = found = np.concatenate([found, _add(terms[added], sums)])
        added += 1
    for at, term in enumerate(terms[added:], added):
        _look_up(term, able, max(last - (bounds[-1] - bounds[at]), _LEAST), sums)
    totals = sums[able].astype(np.float32)
    sums[found] = 0.0
    best = top_k(totals, order[able], k)
    return able[best], totals[best]


def _add(term: Weighted, sums: np.ndarray) -> np.ndarray:
    """Add what a term gives to all its documents; returns those that nothing was given before."""
    documents = term.documents.astype(np.intp)
    before, parts = sums[documents], term.parts(slice(None))
    if parts.min(initial=1) <= 0:
        parts = np.maximum(parts, _LEAST)
    sums[documents] = before + parts
    return documents[before == 0]


def _look_up(term: Weighted, able: np.ndarray, least: float, sums: np.ndarray) -> None:
    """Add what a term gives to the documents with a sum of `least` (above 0) or more; they are among the able."""
    if len(able) * _BISECTION < len(term.documents):
        able = np.sort(able).astype(np.int32)
        rows = np.searchsorted(term.documents, able)
        rows[rows == len(term.documents)] = 0
        rows = rows[term.documents[rows] == able]
    else:
        rows = np.flatnonzero(sums[term.documents] >= least)
    sums[term.documents[rows]] += term.parts(rows)
