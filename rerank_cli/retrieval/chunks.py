"""Chunks of an index that is being built: some documents' terms, counted and sorted, in files aside.

A chunk has term numbers of its own, in the order of the terms' bytes; the merge in `indexing` gives the final ones.
Batches of documents are counted independently of each other, so that processes can share them.
"""

from __future__ import annotations

import os
import signal
import threading
from array import array
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.analyzers import analyzer_named


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


class Batch(NamedTuple):
    """Documents that follow each other in the corpus, the first by its number."""

    first_document: int
    texts: list[str]


class Written(NamedTuple):
    """What came of a batch: the chunks' file names, and the length (n,) int32 of each document."""

    chunks: list[Path]
    lengths: np.ndarray


def write_chunks(aside: Path, analyzer: Analyzer, chunk_tokens: int, batch: Batch) -> Written:
    """Write a batch to the folder `aside`, as one chunk or, past `chunk_tokens`, as several."""
    writer = _ChunkWriter(aside, analyzer, batch.first_document)
    for text in batch.texts:
        writer.add(text)
        if writer.pending >= chunk_tokens:
            writer.flush()
    writer.flush()
    return Written(writer.chunks, np.concatenate(writer.lengths))


@lru_cache(maxsize=1)
def _analyzer_of_process(name: str) -> Analyzer:
    """One analyzer a process: what it remembers serves all of its batches."""
    return analyzer_named(name)


def write_chunks_elsewhere(aside: Path, analyzer: str, chunk_tokens: int, batch: Batch) -> Written:
    """The same in a process of its own, which makes its analyzer by name."""
    return write_chunks(aside, _analyzer_of_process(analyzer), chunk_tokens, batch)


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


class _ChunkWriter:
    """Collects the tokens of documents and writes them out sorted."""

    def __init__(self, aside: Path, analyzer: Analyzer, first_document: int) -> None:
        self.chunks: list[Path] = []
        self.lengths: list[np.ndarray] = []
        self._aside = aside
        self._analyzer = analyzer
        self._first_document = first_document
        self._clear()

    def _clear(self) -> None:
        self._numbers = _TermNumbers(self._analyzer)
        self._tokens = array("i")
        self._token_ends = array("q")

    @property
    def pending(self) -> int:
        """Tokens not written yet."""
        return len(self._tokens)

    def add(self, text: str) -> None:
        """The next document."""
        self._tokens.extend(map(self._numbers.__getitem__, self._analyzer.tokens(text)))
        self._token_ends.append(len(self._tokens))

    def flush(self) -> None:
        """Write a chunk of what has been added since the last."""
        documents = len(self._token_ends)
        if not documents:
            return
        terms = [term.encode("utf-8", "surrogatepass") for term in self._numbers.vocabulary]
        order = sorted(range(len(terms)), key=terms.__getitem__)
        place = np.empty(len(terms), dtype=np.int64)
        place[order] = np.arange(len(terms))
        tokens = np.array(self._tokens, dtype=np.int32)
        document_of = np.repeat(np.arange(documents), np.diff(self._token_ends, prepend=0))
        indexed = tokens >= 0
        tokens, document_of = tokens[indexed], document_of[indexed]
        lengths = np.bincount(document_of, minlength=documents)
        self.lengths.append(lengths.astype(np.int32))
        keys = (document_of << 32) | place[tokens]
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        document_of, term_of = keys[starts] >> 32, keys[starts] & 0xFFFFFFFF
        frequencies = np.diff(starts, append=len(keys))
        by_term = np.argsort((term_of << 32) | document_of)
        path = self._aside / str(self._first_document)
        path.with_suffix(".terms").write_bytes(b"".join(terms[number] + b"\n" for number in order))
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
        for name, column in columns.items():
            np.save(path.with_suffix(f".{name}.npy"), column.astype(np.int32))
        self.chunks.append(path)
        self._first_document += documents
        self._clear()
