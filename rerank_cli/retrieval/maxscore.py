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
    found, least, added = np.empty(0, dtype=np.int32), 0.0, 0
    for term in terms:
        rest = bounds[-1] - bounds[added]
        if len(found) >= k and rest < bounds[added]:
            least = _last_place(sums[found], k)
            if rest * _ROUNDING < least:
                break
        found = np.concatenate([found, _add(term, sums)])
        added += 1
    touched = found
    if added < len(terms):
        found = np.sort(found[_able(sums[found], bounds[-1] - bounds[added], least)])
    totals = sums[found]
    sums[touched] = 0.0
    for at, term in enumerate(terms[added:], added + 1):
        rows = np.searchsorted(term.documents, found)
        rows[rows == len(term.documents)] = 0
        held = np.flatnonzero(term.documents[rows] == found)
        totals[held] += term.parts(rows[held])
        if at < len(terms):
            able = _able(totals, bounds[-1] - bounds[at], _last_place(totals, k))
            found, totals = found[able], totals[able]
    scores = totals.astype(np.float32)
    best = top_k(scores, order[found], k)
    return found[best], scores[best]


def _add(term: Weighted, sums: np.ndarray) -> np.ndarray:
    """Add what a term gives; returns the documents that nothing was given before."""
    parts = term.parts(slice(None))
    before = sums[term.documents]
    sums[term.documents] = before + np.maximum(parts, _LEAST)
    return term.documents[before == 0]


def _able(totals: np.ndarray, rest: float, least: float) -> np.ndarray:
    """Whose sum may still reach `least` when `rest` is to come."""
    able: np.ndarray = (totals + rest) * _ROUNDING >= least
    return able


def _last_place(totals: np.ndarray, k: int) -> float:
    return float(np.partition(totals, len(totals) - k)[len(totals) - k])


#: What a part that rounds to nothing counts, so that its document is known to be found; too little to show in 32 bits.
_LEAST = 1e-30
