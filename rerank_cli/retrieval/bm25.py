"""BM25 as Lucene computes it, and its other variants, over an inverted index of counts.

A document's score is the sum of what the query's terms give it (`variants` has the formulas); a term twice
in the query counts twice, and N counts the documents that have any term. Two habits of Lucene are kept, so that
figures published with it are met: the length of a document is the one of `lucene_lengths` (exact to 40 terms, then
about three per cent coarse), and a term's part is made in 32-bit floats, summed in 64 and rounded to 32.
`lengths="exact"` gives up the first.

S. Robertson, H. Zaragoza: The probabilistic relevance framework: BM25 and beyond. FnTIR 3(4), 2009.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.by_place import by_place
from rerank_cli.core.texts import TITLE_AND_TEXT, Document, rendered
from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.index import InvertedIndex, Postings, length_bytes, lucene_lengths
from rerank_cli.retrieval.indexing import build_index
from rerank_cli.retrieval.maxscore import Weighted, best_documents
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.sharing import Over
from rerank_cli.retrieval.variants import Parameters, inverse_norms, saturation

ANSERINI = Parameters()


class Bm25Index:
    """A corpus ready for BM25 search; how it is scored is said with each search."""

    def __init__(self, index: InvertedIndex, analyzer: Analyzer) -> None:
        self.index = index
        self.analyzer = analyzer
        #: Sums (N,) float64 to work in, all zero between searches.
        self._sums: np.ndarray | None = None
        self._ratios = lru_cache(maxsize=4)(self._ratios_of)
        self._norm = lru_cache(maxsize=4096)(self._norm_of)

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        folder: Path,
        analyzer: str = "english",
        *,
        template: str = TITLE_AND_TEXT,
        fingerprint: str = "",
        processes: int = 1,
        over: Over | None = None,
    ) -> None:
        """Index documents into an existing empty folder, see `build_index`; raises `BadData` on a docid that comes twice."""
        texts = ((document.docid, rendered(document, template)) for document in documents)
        about = {"fingerprint": fingerprint, "doc_template": template}
        build_index(texts, folder, analyzer_named(analyzer), about, processes=processes, over=over)

    @classmethod
    def open(cls, folder: Path) -> Bm25Index:
        """Memory-map an index; raises `Missing` when there is none, `BadData` when it cannot be read."""
        index = InvertedIndex(folder)
        return cls(index, analyzer_named(index.manifest["analyzer"]))

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(Bm25Index.open, self.index.folder)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.index)

    def search(self, text: str, k: int, parameters: Parameters = ANSERINI) -> tuple[np.ndarray, np.ndarray]:
        """The k best documents for a query: docids (n,) bytes and scores (n,) float64, in canonical order.

        Only documents to which a term of the query gives something, so n may be below k. Costs at most the
        sum of the terms' document frequencies, see `maxscore`.
        """
        return self.search_terms(Counter(self.analyzer.terms(text)), k, parameters)

    def search_terms(
        self, weights: Mapping[str, float | np.float32], k: int, parameters: Parameters = ANSERINI
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same for index terms with weights above 0, as feedback makes them."""
        found = ((weight, self.index.postings(term)) for term, weight in weights.items())
        terms = [self._weighted(weight, postings, parameters) for weight, postings in found if postings is not None]
        numbers, scores = best_documents(
            [term for term in terms if term.bound > 0], k, self.index.docid_order, self._room()
        )
        return self.index.docids(numbers), scores.astype(np.float64)

    def _weighted(self, weight: float | np.float32, postings: Postings, parameters: Parameters) -> Weighted:
        """What a term gives each of its documents, see `variants`; float32 from the idf on, as Lucene has it."""
        ratios = self._ratios(parameters)
        documents, codes = postings.documents, postings.codes
        saturated = saturation(parameters, self.index.documents_with_terms, len(documents), weight)
        # What each code gives: fewer numbers than what each document is given, where these are many.
        given = saturated(ratios.copy()) if len(ratios) < len(documents) else None

        def parts(rows: np.ndarray | slice) -> np.ndarray:
            return saturated(ratios.take(codes[rows])) if given is None else given.take(codes[rows])

        extreme = self._norm(postings.shortest, parameters) * np.float32(postings.most)
        return Weighted(documents, parts, float(saturated(extreme)[0]))

    def _norm_of(self, length: int, parameters: Parameters) -> np.ndarray:
        """`_norms` of one length, (1,): there are few different ones."""
        return self._norms(np.array([length]), parameters)

    def _ratios_of(self, parameters: Parameters) -> np.ndarray:
        """tf / (k1 * (1 - b + b * length / average)) of each code (C,) float32."""
        frequencies, lengths = self.index.pairs.T
        return self._norms(lengths, parameters) * frequencies.astype(np.float32)

    def _norms(self, lengths: np.ndarray, parameters: Parameters) -> np.ndarray:
        """1 / (k1 * (1 - b + b * length / average)) (n,) float32 of lengths (n,), as Lucene rounds them or exact."""
        if parameters.lengths == "lucene":
            lengths = lucene_lengths()[length_bytes(lengths)]
        return inverse_norms(lengths, self.index.tokens / max(self.index.documents_with_terms, 1), parameters)

    def _room(self) -> np.ndarray:
        if self._sums is None:
            self._sums = np.zeros(len(self), dtype=np.float64)
        return self._sums


class Bm25:
    """A `Retriever` over a BM25 index with its parameters."""

    name = "bm25"

    def __init__(self, index: Bm25Index, parameters: Parameters = ANSERINI) -> None:
        self.index, self.parameters = index, parameters

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self.index.index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {**self.parameters.facts, "analyzer": self.index.analyzer.name}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; only documents that share a term with the query."""
        return (Found(*self.index.search(topic.text, k, self.parameters)) for topic in topics)
