"""BM25 as Lucene computes it, and its other variants, over an inverted index of counts.

A document's score is the sum of what the query's terms give it (`variants` has the formulas); a term twice
in the query counts twice, and N counts the documents that have any term. Two habits of Lucene are kept, so that
figures published with it are met: the length of a document is the one of `lucene_lengths` (exact to 40 terms, then
about three per cent coarse), and a term's part is made in 32-bit floats, summed in 64 and rounded to 32.
`lengths="exact"` gives up the first.

S. Robertson, H. Zaragoza: The probabilistic relevance framework: BM25 and beyond. FnTIR 3(4), 2009.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.by_place import by_place
from rerank_cli.core.texts import Document, rendered
from rerank_cli.retrieval.ahead import on_threads
from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.index import InvertedIndex, Postings, length_bytes, lucene_lengths
from rerank_cli.retrieval.indexing import build_index
from rerank_cli.retrieval.maxscore import Weighted, best_documents
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.sharing import Over
from rerank_cli.retrieval.variants import VARIANTS, Parameters

ANSERINI = Parameters()
#: Each thread that searches has sums of its own, eight bytes a document.
_THREADS = 8
#: Documents below which one thread is quicker: a query's arrays are then too short for numpy to let the others work meanwhile.
_FEW = 250_000


class Bm25Index:
    """A corpus ready for BM25 search; how it is scored is said with each search. Threads may search at once."""

    def __init__(self, index: InvertedIndex, analyzer: Analyzer) -> None:
        self.index = index
        self.analyzer = analyzer
        self._of_thread = threading.local()
        self._ratios = lru_cache(maxsize=4)(self._ratios_of)
        self._norm = lru_cache(maxsize=4096)(self._norm_of)

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        folder: Path,
        analyzer: str = "english",
        *,
        template: str = "{title} {text}",
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
        variant, delta = VARIANTS[parameters.variant], parameters.delta_in_force
        ratios = self._ratios(parameters)
        documents, codes = postings.documents, postings.codes
        idf = np.float32(variant.idf(self.index.documents_with_terms, len(documents)))
        factor = np.float32(weight) * idf
        least = factor * np.float32(delta) if variant.outside is not None else None
        inside = np.float32(delta / parameters.k1) if variant.inside is not None and delta and parameters.k1 else None
        if variant.scaled:
            factor *= np.float32(parameters.k1 + 1)

        def saturated(ratio: np.ndarray) -> np.ndarray:
            """In place: a query would spend its time on making arrays."""
            if inside is not None:
                ratio += inside
            ratio += np.float32(1)
            np.divide(factor, ratio, out=ratio)
            parts = np.subtract(factor, ratio, out=ratio)
            if least is not None:
                parts += least
            return parts

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
        average = np.float32(self.index.tokens / max(self.index.documents_with_terms, 1))
        one, k1, b = np.float32(1), np.float32(parameters.k1), np.float32(parameters.b)
        with np.errstate(divide="ignore", invalid="ignore"):  # k1 = 0, and an index without terms
            norms: np.ndarray = one / (k1 * ((one - b) + b * lengths.astype(np.float32) / average))
        return norms

    def _room(self) -> np.ndarray:
        """This thread's sums (N,) float64, all zero."""
        try:
            room: np.ndarray = self._of_thread.sums
        except AttributeError:
            room = self._of_thread.sums = np.zeros(len(self), dtype=np.float64)
        return room


class Bm25:
    """A `Retriever` over a BM25 index with its parameters."""

    name = "bm25"

    def __init__(self, index: Bm25Index, parameters: Parameters = ANSERINI, *, threads: int = 1) -> None:
        self.index, self.parameters = index, parameters
        self.threads = min(threads, _THREADS) if len(index) >= _FEW else 1

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

        def one(topic: Topic) -> Found:
            return Found(*self.index.search(topic.text, k, self.parameters))

        return on_threads(one, topics, self.threads)
