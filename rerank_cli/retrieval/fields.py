"""BM25F: a document's fields have weights, and a term's occurrences in all of them saturate together.

Adding up the BM25 scores of the fields pays a term that stands in title and text as if it were two terms, so that one
term of the query in both may beat two terms in one. BM25F joins the frequencies before they saturate: with the length
normalisation of each field, tf' = sum of w_f * tf_f / (1 - b_f + b_f * len_f / average len_f), and the score is that of
BM25 with tf' / k1 for r (see `variants`). df counts the documents that hold the term in any field that has a weight, N
those with any term there. One field of weight 1 is BM25 over that field, to the bit. `by` sum is what Lucene's users
mostly do: the fields' own scores, weighed and added.

An index is a folder with an inverted index for each field, all over the same documents with the same numbers, so that
weights are chosen with each search.

    manifest.json   what was indexed and how, and all files      title/, text/   see `index`

S. Robertson, H. Zaragoza, M. Taylor: Simple BM25 extension to multiple weighted fields. CIKM 2004; with a b for each
field: H. Zaragoza et al.: Microsoft Cambridge at TREC 13. 2004.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.texts import Document
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.field_weights import FIELDS, Field, FieldWeights
from rerank_cli.retrieval.index import FORMAT, InvertedIndex, length_bytes, lucene_lengths
from rerank_cli.retrieval.indexing import build_index
from rerank_cli.retrieval.manifest import read_manifest, write_manifest
from rerank_cli.retrieval.maxscore import Weighted, best_documents
from rerank_cli.retrieval.retriever import Found, Topic
from rerank_cli.retrieval.sharing import Over
from rerank_cli.retrieval.variants import Parameters, inverse_norms, saturation

KIND = "bm25-fields"


class FieldIndex:
    """A corpus with its fields indexed apart; how they are joined is said with each search."""

    def __init__(self, folder: Path) -> None:
        """Memory-map an index; raises `Missing` when there is none, `BadData` when it cannot be read."""
        self.folder = folder
        self.manifest = read_manifest(folder, KIND, FORMAT)
        self.analyzer = analyzer_named(self.manifest["analyzer"])
        self._fields = {name: InvertedIndex(folder / name) for name in FIELDS}
        self._norms = lru_cache(maxsize=8)(self._norms_of)
        self._documents_with_terms = lru_cache(maxsize=4)(self._count_with_terms)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the folder, which is opened there."""
        return FieldIndex, (self.folder,)

    @staticmethod
    def build(
        documents: Callable[[], Iterable[Document]],
        folder: Path,
        analyzer: str = "english",
        *,
        fingerprint: str = "",
        processes: int = 1,
        over: Over | None = None,
    ) -> None:
        """Index documents into an existing empty folder, asking for them once a field; raises `BadData` on a docid that comes twice."""
        about: dict[str, Any] = {"fingerprint": fingerprint, "fields": ",".join(FIELDS)}
        counts: dict[str, Any] = {}
        for name in FIELDS:
            (folder / name).mkdir()
            texts = ((document.docid, getattr(document, name)) for document in documents())
            build_index(texts, folder / name, analyzer_named(analyzer), {"field": name}, processes=processes, over=over)
            told = InvertedIndex(folder / name).manifest
            about |= {key: told[key] for key in ("analyzer", "analyzer_version", "documents")}
            counts[name] = {key: told[key] for key in ("documents_with_terms", "terms", "tokens", "seconds")}
        write_manifest(folder, KIND, FORMAT, about | counts, FIELDS)

    def __len__(self) -> int:
        """The number of documents."""
        return len(self._fields[FIELDS[0]])

    def search(self, text: str, k: int, parameters: Parameters, fields: FieldWeights) -> Found:
        """The k best documents for a query; see `Bm25Index.search`. Costs the terms' document frequencies in all fields."""
        terms = [
            self._weighted(term, count * weight, together)
            for term, count in Counter(self.analyzer.terms(text)).items()
            for weight, together in fields.joined(parameters)
        ]
        ids, terms = self._fields[FIELDS[0]], [term for term in terms if term.bound > 0]
        numbers, scores = best_documents(terms, k, ids.docid_order, np.zeros(len(self)))
        return Found(ids.docids(numbers), scores.astype(np.float64))

    def _weighted(self, term: str, weight: float, fields: list[Field]) -> Weighted:
        """What a term of a query gives each document that holds it in one of the fields, where frequencies are joined.

        The bound is that of a document in which every field is at its best.
        """
        held = [
            (postings, np.float32(field.weight), *self._norms(field.name, field.parameters))
            for field in fields
            if (postings := self._fields[field.name].postings(term)) is not None
        ]
        documents = _union([postings.documents for postings, *_ in held])
        ratio, most = np.zeros(len(documents), dtype=np.float32), np.zeros(1, dtype=np.float32)
        for postings, own, norms, lengths in held:
            part = norms[lengths[postings.documents]]
            part *= postings.frequencies
            ratio[np.searchsorted(documents, postings.documents)] += own * part
            shortest = np.array([postings.shortest])
            if lengths.dtype == np.uint8:
                shortest = length_bytes(shortest)
            most += own * (norms[shortest] * np.float32(postings.most))
        if not len(documents):
            return Weighted(documents, lambda rows: ratio[rows], 0.0)
        n = self._documents_with_terms(tuple(field.name for field in fields))
        saturated = saturation(fields[0].parameters, n, len(documents), weight)
        given = saturated(ratio)
        return Weighted(documents, lambda rows: given[rows], float(saturated(most)[0]))

    def _norms_of(self, name: str, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
        """Inverse norms (n,) float32 in a field by length byte or by length; and that (N,) of each document."""
        index = self._fields[name]
        rounded = parameters.lengths == "lucene"
        values = lucene_lengths() if rounded else np.arange(int(index.lengths.max(initial=0)) + 1)
        average = index.tokens / max(index.documents_with_terms, 1)
        return inverse_norms(values, average, parameters), index.length_bytes if rounded else index.lengths

    def _count_with_terms(self, names: tuple[str, ...]) -> int:
        """How many documents hold a term in any of these fields. O(N)."""
        return int(np.count_nonzero(np.logical_or.reduce([self._fields[name].lengths > 0 for name in names])))


def _union(lists: list[np.ndarray]) -> np.ndarray:
    """The numbers that are in any of some ascending lists, ascending."""
    if len(lists) == 1:
        return lists[0]
    both = np.sort(np.concatenate([np.empty(0, dtype=np.int32), *lists]), kind="stable")
    return both[np.diff(both, prepend=-1) > 0]


class Bm25F:
    """A `Retriever` over an index of fields with its parameters."""

    name = "bm25"

    def __init__(self, index: FieldIndex, parameters: Parameters, fields: FieldWeights) -> None:
        self._index, self._parameters, self._fields = index, parameters, fields

    @property
    def folder(self) -> Path:
        """See `Indexed.folder`."""
        return self._index.folder

    @property
    def facts(self) -> dict[str, Any]:
        """See `Retriever.facts`."""
        return {**self._parameters.facts, **self._fields.facts, "analyzer": self._index.analyzer.name}

    def search(self, topics: Sequence[Topic], k: int) -> Iterator[Found]:
        """See `Retriever.search`; only documents that share a term with the query in a field that has a weight."""
        return (self._index.search(topic.text, k, self._parameters, self._fields) for topic in topics)
