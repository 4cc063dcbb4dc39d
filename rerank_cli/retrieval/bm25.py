"""BM25 as Lucene computes it, over an inverted index of counts.

score(d) = sum over the query's terms of idf * tf / (tf + k1 * (1 - b + b * length / average length)),
idf = ln(1 + (N - df + .5) / (df + .5)), N the documents that have any term. A term twice in the query
counts twice. Two habits of Lucene are kept, so that figures published with it are met: the length of
a document is the one of `lucene_lengths` (exact to 40 terms, then about three per cent coarse), and a
term's part is made in 32-bit floats, summed in 64 and rounded to 32. `lengths="exact"` gives up the first.

S. Robertson, H. Zaragoza: The probabilistic relevance framework: BM25 and beyond. FnTIR 3(4), 2009.
C. Kamphuis, A. de Vries, L. Boytsov, J. Lin: Which BM25 do you mean? ECIR 2020 (the formula is its "accurate"
and "Lucene" variants without the constant factor k1 + 1).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rerank_cli.core.texts import Document, rendered
from rerank_cli.errors import WrongUsage
from rerank_cli.retrieval.analysis import Analyzer, analyzer_named
from rerank_cli.retrieval.index import InvertedIndex, lucene_lengths
from rerank_cli.retrieval.indexing import build_index
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.topk import top_k

Lengths = Literal["lucene", "exact"]


class Bm25Index:
    """A corpus ready for BM25 search; k1 and b are given with each search. Not for several threads at once."""

    def __init__(self, index: InvertedIndex, analyzer: Analyzer) -> None:
        self.index = index
        self.analyzer = analyzer
        self._sums = np.zeros(len(index), dtype=np.float64)

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        folder: Path,
        analyzer: str = "english",
        *,
        template: str = "{title} {text}",
        fingerprint: str = "",
    ) -> None:
        """Index documents into an existing empty folder; raises `BadData` on a docid that comes twice."""
        texts = ((document.docid, rendered(document, template)) for document in documents)
        build_index(texts, folder, analyzer_named(analyzer), {"fingerprint": fingerprint, "doc_template": template})

    @classmethod
    def open(cls, folder: Path) -> Bm25Index:
        """Memory-map an index; raises `Missing` when there is none, `BadData` when it cannot be read."""
        index = InvertedIndex(folder)
        return cls(index, analyzer_named(index.manifest["analyzer"]))

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.index)

    def search(
        self, text: str, k: int, *, k1: float = 0.9, b: float = 0.4, lengths: Lengths = "lucene"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best documents for a query: docids (n,) bytes and scores (n,) float64, in canonical order.

        Only documents that hold a term of the query, so n may be below k. Raises `WrongUsage` on k1 < 0
        or b outside 0..1. Costs the sum of the terms' document frequencies.
        """
        return self.search_terms(Counter(self.analyzer.terms(text)), k, k1=k1, b=b, lengths=lengths)

    def search_terms(
        self, weights: Mapping[str, float], k: int, *, k1: float = 0.9, b: float = 0.4, lengths: Lengths = "lucene"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same for index terms with positive weights, as feedback makes them."""
        check_parameters(k1, b)
        inverse_norm = self._inverse_norms(k1, b, lengths)
        document_norm = self.index.length_bytes if lengths == "lucene" else self.index.lengths
        touched = [np.empty(0, dtype=np.int32)]
        for term, weight in weights.items():
            postings = self.index.postings(term)
            if postings is None:
                continue
            documents = postings.documents
            factor = np.float32(weight) * self._idf(len(documents))
            ratio = inverse_norm[document_norm[documents]]
            ratio *= postings.frequencies
            so_far = self._sums[documents]
            touched.append(documents[so_far == 0])
            self._sums[documents] = so_far + (factor - factor / (np.float32(1) + ratio))
        found = np.concatenate(touched)
        scores = self._sums[found].astype(np.float32)
        self._sums[found] = 0.0
        best = top_k(scores, self.index.docid_order[found], k)
        return self.index.docids(found[best]), scores[best].astype(np.float64)

    def _idf(self, df: int) -> np.float32:
        return np.float32(math.log(1 + (self.index.documents_with_terms - df + 0.5) / (df + 0.5)))

    def _inverse_norms(self, k1: float, b: float, lengths: Lengths) -> np.ndarray:
        """1 / (k1 * (1 - b + b * length / average)) as float32, by length byte or by length."""
        values = lucene_lengths() if lengths == "lucene" else np.arange(int(self.index.lengths.max(initial=0)) + 1)
        average = np.float32(self.index.tokens / max(self.index.documents_with_terms, 1))
        one, k1_single, b_single = np.float32(1), np.float32(k1), np.float32(b)
        with np.errstate(divide="ignore", invalid="ignore"):  # k1 = 0, and an index without terms
            norms: np.ndarray = one / (k1_single * ((one - b_single) + b_single * values.astype(np.float32) / average))
        return norms


class Bm25:
    """A `Retriever` over a BM25 index with its parameters."""

    name = "bm25"

    def __init__(self, index: Bm25Index, *, k1: float = 0.9, b: float = 0.4, lengths: Lengths = "lucene") -> None:
        """Raises `WrongUsage` on k1 < 0 or b outside 0..1."""
        check_parameters(k1, b)
        self.index = index
        self.k1, self.b, self.lengths = k1, b, lengths

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self.index.index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {"k1": self.k1, "b": self.b, "analyzer": self.index.analyzer.name}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; only documents that share a term with the query."""
        for topic in topics:
            yield Found(*self.index.search(topic.text, k, k1=self.k1, b=self.b, lengths=self.lengths))


def check_parameters(k1: float, b: float) -> None:
    """Raise `WrongUsage` unless k1 >= 0 and 0 <= b <= 1."""
    if not (math.isfinite(k1) and k1 >= 0):
        raise WrongUsage(f"k1 is {k1}, which is not 0 or more", "usual values are 0.9 and 1.2")
    if not 0 <= b <= 1:
        raise WrongUsage(f"b is {b}, which is not from 0 to 1", "usual values are 0.4 and 0.75")
