"""Chunks of an index that is being built: some documents' terms, counted and sorted, in files aside.

A chunk has term numbers of its own, in the order of the terms' bytes; the merge in `indexing` gives the final ones.
Batches of documents are counted independently of each other, so that processes can share them.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.sharing import Batch


class Chunk(NamedTuple):
    """A sorted chunk on disk: `terms` one a line, and int32 arrays, mapped.

    By term: `counts (v,)`, `most (v,)` the highest frequency, `shortest (v,)` the least length of a document that holds
    it, `documents (p,)`, `codes (p,)`: rows of `pairs (c, 2)`, a frequency and the length of the document. By document:
    `document_counts (n,)`, `document_terms (p,)` with the chunk's own term numbers, `document_frequencies (p,)`.
    """

    terms: Path
    counts: np.ndarray
    most: np.ndarray
    shortest: np.ndarray
    documents: np.ndarray
    codes: np.ndarray
    pairs: np.ndarray
    document_counts: np.ndarray
    document_terms: np.ndarray
    document_frequencies: np.ndarray


class Counted(NamedTuple):
    """A sorted chunk in memory: the number of its first document, `terms` one a line, the columns of a `Chunk` by name,
    int32, and the `lengths (n,)` int32 of its documents."""

    first_document: int
    terms: bytes
    columns: dict[str, np.ndarray]
    lengths: np.ndarray


class Written(NamedTuple):
    """What came of a batch: the chunks' file names, and the length (n,) int32 of each document."""

    chunks: list[Path]
    lengths: np.ndarray


def counted(analyzer: Analyzer, chunk_tokens: int, batch: Batch) -> Iterator[Counted]:
    """A batch as one chunk or, past `chunk_tokens`, as several."""
    counter = _Counter(analyzer, batch.first_document)
    for text in batch.texts:
        counter.add(text)
        if counter.pending >= chunk_tokens:
            yield counter.taken()
    if counter.documents:
        yield counter.taken()


def write_chunks(aside: Path, chunks: Iterable[Counted]) -> Written:
    """Write the chunks of a batch to the folder `aside`, each as it comes."""
    paths, lengths = [], []
    for chunk in chunks:
        path = aside / str(chunk.first_document)
        path.with_suffix(".terms").write_bytes(chunk.terms)
        for name, column in chunk.columns.items():
            save_array(path.with_suffix(f".{name}.npy"), column)
        paths.append(path)
        lengths.append(chunk.lengths)
    return Written(paths, np.concatenate(lengths))


@lru_cache(maxsize=1)
def _analyzer_of_process(name: str) -> Analyzer:
    """One analyzer a process: what it remembers serves all of its batches."""
    return analyzer_named(name)


def counted_elsewhere(analyzer: str, chunk_tokens: int, batch: Batch) -> list[Counted]:
    """The chunks of a batch, counted in a process of its own, which makes its analyzer by name."""
    return list(counted(_analyzer_of_process(analyzer), chunk_tokens, batch))


def write_chunks_elsewhere(aside: Path, analyzer: str, chunk_tokens: int, batch: Batch) -> Written:
    """The same, written there."""
    return write_chunks(aside, counted(_analyzer_of_process(analyzer), chunk_tokens, batch))


def opened(path: Path) -> Chunk:
    """Memory-map a chunk."""
    arrays = (np.load(path.with_suffix(f".{name}.npy"), mmap_mode="r") for name in Chunk._fields[1:])
    return Chunk(path.with_suffix(".terms"), *arrays)


class _Counter:
    """Collects the tokens of documents and counts them, sorted."""

    def __init__(self, analyzer: Analyzer, first_document: int) -> None:
        self._analyzer = analyzer
        self._first_document = first_document
        self._clear()

    def _clear(self) -> None:
        #: Token -> its number in this chunk.
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._tokens = array("i")
        self._token_ends = array("q")

    @property
    def pending(self) -> int:
        """Tokens not taken yet."""
        return len(self._tokens)

    @property
    def documents(self) -> int:
        """Documents not taken yet."""
        return len(self._token_ends)

    def add(self, text: str) -> None:
        """The next document."""
        self._tokens.extend(map(self._numbers.__getitem__, self._analyzer.tokens(text)))
        self._token_ends.append(len(self._tokens))

    def taken(self) -> Counted:
        """A chunk of what has been added since the last."""
        documents = self.documents
        terms, place = self._terms()
        tokens = place[np.frombuffer(self._tokens, dtype=np.int32)]
        document_of = np.repeat(np.arange(documents), np.diff(self._token_ends, prepend=0))
        indexed = tokens >= 0
        if not indexed.all():
            tokens, document_of = tokens[indexed], document_of[indexed]
        lengths = np.bincount(document_of, minlength=documents).astype(np.int32)
        keys = document_of << 32 | tokens
        # Stable sorts: the keys come document by document, and what is sorted already costs little.
        keys.sort(kind="stable")
        starts = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), dtype=bool), keys[1:] != keys[:-1]]))
        frequencies = np.diff(starts, append=len(keys)).astype(np.int32)
        keys = keys[starts]
        term_of, document_of = keys.astype(np.int32), (keys >> 32).astype(np.int32)
        codes, pairs = _coded(frequencies, document_of, lengths)
        by_term = _stable_order(term_of)
        counts = np.bincount(term_of, minlength=len(terms))
        firsts = np.cumsum(counts) - counts
        codes_by_term = codes[by_term]
        columns = {
            "counts": counts,
            "most": np.maximum.reduceat(pairs[codes_by_term, 0], firsts) if len(terms) else counts,
            "shortest": np.minimum.reduceat(pairs[codes_by_term, 1], firsts) if len(terms) else counts,
            "documents": document_of[by_term] + self._first_document,
            "codes": codes_by_term,
            "pairs": pairs,
            "document_counts": np.bincount(document_of, minlength=documents),
            "document_terms": term_of,
            "document_frequencies": frequencies,
        }
        chunk = Counted(
            self._first_document,
            "".join([f"{term}\n" for term in terms]).encode("utf-8", "surrogatepass"),
            {name: column.astype(np.int32, copy=False) for name, column in columns.items()},
            lengths,
        )
        self._first_document += documents
        self._clear()
        return chunk

    def _terms(self) -> tuple[list[str], np.ndarray]:
        """The terms of this chunk, sorted, and the number of each token's, -1 for what is not indexed."""
        found = list(map(self._analyzer.term, self._numbers))
        terms = sorted({term for term in found if term is not None})  # by code points, and so by bytes
        numbers: dict[str | None, int] = {**dict(zip(terms, count())), None: -1}
        return terms, np.fromiter(map(numbers.__getitem__, found), dtype=np.int32, count=len(found))


def _coded(frequencies: np.ndarray, document_of: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number (p,) int32 for each posting and what it stands for (c, 2) int32: a frequency and a length that occur together.

    Postings come document by document. Numbers are given without sorting: each length has as many as its highest frequency.
    """
    held, starts = np.unique(document_of, return_index=True)
    most = np.zeros(int(lengths.max(initial=0)) + 1, dtype=np.int64)
    if len(held):
        np.maximum.at(most, lengths[held], np.maximum.reduceat(frequencies, starts))
    first = np.cumsum(most) - most
    codes = first[lengths][document_of] + (frequencies - 1)
    occurring = np.bincount(codes, minlength=int(most.sum())) > 0
    length = np.repeat(np.arange(len(most)), most)[occurring]
    frequency = np.flatnonzero(occurring) - first[length] + 1
    codes = (np.cumsum(occurring, dtype=np.int32) - 1)[codes]
    return codes, np.stack([frequency, length], axis=1).astype(np.int32)


def _stable_order(numbers: np.ndarray) -> np.ndarray:
    """What sorts numbers (n,) int32 from 0, equal ones as they come: sixteen bits at a time, which numpy does by counting."""
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    if numbers.max(initial=0) > np.iinfo(np.uint16).max:
        order = order[np.argsort((numbers >> 16).astype(np.uint16)[order], kind="stable")]
    return order
