"""Chunks of an index that is being built: some documents' terms, counted and sorted, in files aside.

A chunk has term numbers of its own, in the order of the terms' bytes; the merge in `indexing` gives the final ones.
Batches of documents are counted independently of each other, so that processes can share them.
"""

from __future__ import annotations

import os
import signal
import threading
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.analyzers import analyzer_named
from rerank_cli.retrieval.sharing import Batch


class _TermNumbers(dict[str, int]):
    """Token -> its term's number in this chunk, -1 for what is not indexed; filled as tokens come."""

    def __init__(self, analyzer: Analyzer) -> None:
        super().__init__()
        self._analyzer = analyzer
        self.vocabulary: dict[str, int] = {}

    def __missing__(self, token: str) -> int:
        term = self._analyzer.term(token)
        number = -1 if term is None else self.vocabulary.setdefault(term, len(self.vocabulary))
        self[token] = number
        return number


class Chunk(NamedTuple):
    """A sorted chunk on disk: `terms` one a line, and int32 arrays, mapped.

    By term: `counts (v,)`, `most (v,)` the highest frequency, `shortest (v,)` the least length of a document that holds
    it, `documents (p,)`, `frequencies (p,)`. By document: `document_counts (n,)`, `document_terms (p,)` with the chunk's
    own term numbers, `document_frequencies (p,)`.
    """

    terms: Path
    counts: np.ndarray
    most: np.ndarray
    shortest: np.ndarray
    documents: np.ndarray
    frequencies: np.ndarray
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
            np.save(path.with_suffix(f".{name}.npy"), column)
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


def end_with_parent() -> None:
    """For a process of a pool: leave Ctrl-C to the parent, and end when it is gone, killed perhaps."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


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
        self._numbers = _TermNumbers(self._analyzer)
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
        terms = [term.encode("utf-8", "surrogatepass") for term in self._numbers.vocabulary]
        order = sorted(range(len(terms)), key=terms.__getitem__)
        place = np.empty(len(terms), dtype=np.int64)
        place[order] = np.arange(len(terms))
        tokens = np.array(self._tokens, dtype=np.int32)
        document_of = np.repeat(np.arange(documents), np.diff(self._token_ends, prepend=0))
        indexed = tokens >= 0
        tokens, document_of = tokens[indexed], document_of[indexed]
        lengths = np.bincount(document_of, minlength=documents)
        keys = (document_of << 32) | place[tokens]
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        document_of, term_of = keys[starts] >> 32, keys[starts] & 0xFFFFFFFF
        frequencies = np.diff(starts, append=len(keys))
        by_term = np.argsort((term_of << 32) | document_of)
        counts = np.bincount(term_of, minlength=len(terms))
        firsts = np.cumsum(counts) - counts
        columns = {
            "counts": counts,
            "most": np.maximum.reduceat(frequencies[by_term], firsts) if len(terms) else counts,
            "shortest": np.minimum.reduceat(lengths[document_of[by_term]], firsts) if len(terms) else counts,
            "documents": document_of[by_term] + self._first_document,
            "frequencies": frequencies[by_term],
            "document_counts": np.bincount(document_of, minlength=documents),
            "document_terms": term_of,
            "document_frequencies": frequencies,
        }
        chunk = Counted(
            self._first_document,
            b"".join(terms[number] + b"\n" for number in order),
            {name: column.astype(np.int32) for name, column in columns.items()},
            lengths.astype(np.int32),
        )
        self._first_document += documents
        self._clear()
        return chunk
