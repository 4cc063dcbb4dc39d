"""An inverted index of weights: for each term the documents that have it and how much it counts in each.

Learned sparse retrieval has its formula in the weights, so that search is a plain product: of the query's weights
and the documents', summed over the terms that both have. Weights are 32-bit floats and the sum is made in 64 bits,
so scores are those of the vectors themselves; whole numbers, as quantised weights are, stay exact.

    ends.npy   (V,) int64: where a term's rows end in the next two
    documents.npy   (P,) int32, ascending inside a term      impacts.npy   (P,) float32
    docids: see `docids`

S. MacAvaney et al.: Efficient document re-ranking for transformers by precomputing term weights. SIGIR 2020 has the
first of such indexes; J. Lin, X. Ma: A few brief notes on DeepImpact, COIL, and a conceptual framework, arXiv:2106.14807.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.arrays import mapped_array, save_array
from rerank_cli.core.by_place import by_place
from rerank_cli.retrieval.docids import DocIds, write_docids
from rerank_cli.retrieval.encoding import Parts, Unfinished
from rerank_cli.retrieval.manifest import read_manifest, write_manifest
from rerank_cli.retrieval.retriever import Found
from rerank_cli.retrieval.topk import top_k

KIND, FORMAT = "impact", 1
#: Weights put into the order of the terms at a time: about 200 MB.
BLOCK_POSTINGS = 4_000_000
#: What is kept of documents while they come: how many weights each has, and these, document by document.
_COUNTS, _TERMS, _IMPACTS = "counts", "terms", "impacts"


class ImpactIndex:
    """The weights of a corpus, opened; terms are numbers. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; raises `Missing` when there is no index, `BadData` when it is damaged or of another kind."""
        self.folder = folder
        self.manifest = read_manifest(folder, KIND, FORMAT)
        self.ids = DocIds(folder)
        self._ends, self._documents, self._impacts = (
            np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("ends", "documents", "impacts")
        )
        self._sums = np.zeros(len(self.ids))

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(ImpactIndex, self.folder)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.ids)

    def search(self, terms: np.ndarray, weights: np.ndarray, k: int) -> Found:
        """The k best documents for a query's `terms (n,)`, distinct whole numbers, with `weights (n,)`, none below 0.

        Only documents that have a term of the query. Costs N and the terms' rows.
        """
        for term, weight in zip(terms.tolist(), weights.astype(np.float64).tolist(), strict=True):
            if term < len(self._ends):
                rows = slice(int(self._ends[term - 1]) if term else 0, int(self._ends[term]))
                self._sums[self._documents[rows]] += weight * self._impacts[rows].astype(np.float64)
        found = np.flatnonzero(self._sums)
        with np.errstate(over="ignore"):  # whoever writes a run refuses a score that is infinite
            scores = self._sums[found].astype(np.float32)
        self._sums[found] = 0.0
        best = top_k(scores, self.ids.order[found], k)
        return Found(self.ids.of(found[best]), scores[best].astype(np.float64))


def forward_parts(terms: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> Parts:
    """What is kept of some documents, one array of `terms (n,)` and one of `weights (n,)` each, until all are there."""
    counts = np.array([len(own) for own in terms], dtype=np.int32)
    empty = np.empty(0, dtype=np.int32)
    return {
        _COUNTS: counts,
        _TERMS: np.concatenate([empty, *terms]).astype(np.int32),
        _IMPACTS: np.concatenate([empty, *weights]).astype(np.float32),
    }


def write_impacts(work: Unfinished, docids: list[bytes], folder: Path, about: dict[str, Any]) -> None:
    """Turn what `forward_parts` kept into an index; raises `BadData` on a docid that comes twice.

    Two passes over the weights, a block at a time: how many each term has, and each to its place.
    """
    write_docids(docids, folder)
    doc_ends = np.cumsum(_column(work, _COUNTS, np.dtype(np.int32)), dtype=np.int64)
    terms, impacts = _column(work, _TERMS, np.dtype(np.int32)), _column(work, _IMPACTS, np.dtype(np.float32))
    blocks = [slice(start, start + BLOCK_POSTINGS) for start in range(0, len(terms), BLOCK_POSTINGS)]
    size = max((int(terms[block].max()) + 1 for block in blocks), default=0)
    counts = sum((np.bincount(terms[block], minlength=size) for block in blocks), np.zeros(size, dtype=np.int64))
    ends = np.cumsum(counts)
    save_array(folder / "ends.npy", ends)
    out_documents, out_impacts = (
        mapped_array(folder / f"{name}.npy", np.dtype(dtype), len(terms))
        for name, dtype in (("documents", np.int32), ("impacts", np.float32))
    )
    free = ends - counts
    for block in blocks:
        own = terms[block]
        order = np.argsort(own, kind="stable")
        here = np.bincount(own, minlength=size)
        place = np.repeat(free - (np.cumsum(here) - here), here) + np.arange(len(own))
        documents = np.searchsorted(doc_ends, np.arange(block.start, block.start + len(own)), side="right")
        out_documents[place] = documents[order]
        out_impacts[place] = impacts[block][order]
        free += here
    out_documents.flush()
    out_impacts.flush()
    empty = int(np.count_nonzero(np.diff(doc_ends, prepend=0) == 0))
    counted = {"documents": len(docids), "terms": int(np.count_nonzero(counts)), "weights": len(terms), "empty": empty}
    write_manifest(folder, KIND, FORMAT, {**about, **counted})


def _column(work: Unfinished, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    path = work.folder / name
    if not path.is_file() or not path.stat().st_size:
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
