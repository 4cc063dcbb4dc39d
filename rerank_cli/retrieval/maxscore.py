"""The k best sums of postings, without adding up what cannot matter.

Terms are taken strongest first: the rarer a term, the more it gives and the fewer documents hold it. As soon
as all the terms that remain could not together lift a new document to the k-th best sum so far, and few documents
still can get there, they are looked up only in these. The lists are those of adding everything up: a bound on what
a term gives is never below it, and what is left out is below the last place.

Adding costs some three nanoseconds a posting, in pieces that stay in a core's cache. Choosing costs more if it is
done badly: a sample of the sums says how high the k-th best is at least, and only what reaches it is put in order.

H. Turtle, J. Flood: Query evaluation: strategies and optimizations. IPM 31(6), 1995 (MaxScore, term at a time).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rerank_cli.retrieval.topk import top_k

#: A sum is compared with another as if it were this much larger: they are rounded to 32 bits in the end.
_ROUNDING = 1 + 1e-6
#: Looking a document up among a term's by bisection costs as much as adding this many of them.
_BISECTION = 8
#: Finding out whether that can be done costs as much, for each document found, as adding this many postings.
_ORDERING = 64
#: What a part that rounds to nothing counts, so that its document is known to be found; too little to show in 32 bits.
_LEAST = np.float32(1e-30)
#: Postings added at a time.
_PIECE = 32_768
#: With more postings than one for so many documents, all sums are passed by at the end instead of noting which were given something.
_SPARSE = 16
#: How many sums the sample takes.
_SAMPLE = 4_096


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
    found, able = _summed(terms, k, sums)
    if found is None:
        numbers = _highest(sums, k)
        totals = sums[numbers].astype(np.float32)
        sums.fill(0.0)
    else:
        numbers = able[_highest(sums[able], k)]
        totals = sums[numbers].astype(np.float32)
        sums[found] = 0.0
    best = top_k(totals, order[numbers], k)
    return numbers[best], totals[best]


def _summed(terms: Sequence[Weighted], k: int, sums: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Add the terms up; returns the documents that were given something (None: not noted), and those that can be among the k best."""
    bounds = np.cumsum([0.0, *(term.bound for term in terms)])
    left = sum(len(term.documents) for term in terms)
    given = 0
    found = np.empty(0, dtype=np.intp)
    for added, term in enumerate(terms):
        rest = bounds[-1] - bounds[added]
        if k <= len(found) < left / _ORDERING and rest < bounds[added]:
            totals = sums[found]
            last = np.sort(totals)[-k] / _ROUNDING
            able = found[totals >= last - rest]
            if last > rest and len(able) * (len(terms) - added) * _BISECTION < left:
                able.sort()
                for term in terms[added:]:
                    _look_up(term, able, sums)
                return found, able
        given += len(term.documents)
        left -= len(term.documents)
        if given * _SPARSE > len(sums):
            for term in terms[added:]:
                _add(term, sums)
            return None, found
        found = np.concatenate([found, _add_and_note(term, sums)])
    return found, found


def _add(term: Weighted, sums: np.ndarray) -> None:
    """Add what a term gives to all its documents."""
    for start in range(0, len(term.documents), _PIECE):
        rows = slice(start, start + _PIECE)
        np.add.at(sums, term.documents[rows].astype(np.intp), np.maximum(term.parts(rows), _LEAST).astype(np.float64))


def _add_and_note(term: Weighted, sums: np.ndarray) -> np.ndarray:
    """The same, of a term with few documents; returns those that nothing was given before."""
    documents = term.documents.astype(np.intp)
    before = sums[documents]
    sums[documents] = before + np.maximum(term.parts(slice(None)), _LEAST)
    return documents[before == 0]


def _look_up(term: Weighted, able: np.ndarray, sums: np.ndarray) -> None:
    """Add what a term gives to those documents of `able`, ascending, that hold it."""
    rows = np.searchsorted(term.documents, able.astype(np.int32))
    rows[rows == len(term.documents)] = 0
    rows = rows[term.documents[rows] == able]
    sums[term.documents[rows]] += term.parts(rows)


def _highest(totals: np.ndarray, k: int) -> np.ndarray:
    """Places in `totals` that hold all of the k best that are not 0, and not many more."""
    step = len(totals) // _SAMPLE
    if step:
        sample = np.sort(totals[::step])
        # Half as many again as are expected among the k best, and some more for chance.
        place = len(sample) - (3 * k // (2 * step) + 8)
        if place >= 0 and sample[place] > 0:
            high = np.flatnonzero(totals >= sample[place] / _ROUNDING)
            if np.count_nonzero(totals[high] >= sample[place]) >= k:
                return high
    return np.flatnonzero(totals)
