"""Building an inverted index in bounded memory: sorted chunks, then one merge.

Texts are analysed until some millions of tokens have come together. These are sorted by term and
document and written aside as a chunk, with its terms in the order of their bytes. In the end the
chunks' terms are merged into one list and the postings are copied, a block of terms at a time, so
that every file is written from front to end. Memory depends on the chunk; of the corpus only the
lengths, the ids (while they are sorted) and eight bytes a term are held.

S. Heinz, J. Zobel: Efficient single-pass index construction for text databases. JASIST 54(8), 2003.
"""

from __future__ import annotations

import heapq
import shutil
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.core.ids import shown
from rerank_cli.errors import BadData
from rerank_cli.retrieval.analysis import Analyzer
from rerank_cli.retrieval.index import length_bytes, write_array, write_manifest

#: Tokens in a chunk: about 300 MB while it is sorted.
CHUNK_TOKENS = 4_000_000
#: Postings copied at a time in the merge.
BLOCK_POSTINGS = 4_000_000
_LONGEST = np.iinfo(np.int32).max


def build_index(
    texts: Iterable[tuple[bytes, str]],
    folder: Path,
    analyzer: Analyzer,
    about: dict[str, Any],
    *,
    chunk_tokens: int = CHUNK_TOKENS,
) -> None:
    """Index (docid, text) pairs into an existing empty folder; `about` goes into its manifest.

    Raises `BadData` on a docid that comes twice. About a million tokens a second; `chunk_tokens`
    bounds the memory.
    """
    aside = folder / "chunks"
    aside.mkdir()
    with open(folder / "docids.bin", "wb") as docids_file:
        writer = _ChunkWriter(aside, analyzer)
        docid_ends = array("q")
        for docid, text in texts:
            docids_file.write(docid)
            docid_ends.append(len(docid) + (docid_ends[-1] if docid_ends else 0))
            writer.add(text)
            if writer.pending >= chunk_tokens:
                writer.flush()
        writer.flush()
    ends = np.frombuffer(docid_ends, dtype=np.int64) if docid_ends else np.empty(0, dtype=np.int64)
    lengths = np.concatenate([*writer.lengths, np.empty(0, dtype=np.int32)]).astype(np.int32)
    np.save(folder / "docid_ends.npy", ends)
    np.save(folder / "docid_order.npy", _docid_order((folder / "docids.bin").read_bytes(), ends))
    np.save(folder / "lengths.npy", lengths)
    np.save(folder / "length_bytes.npy", length_bytes(lengths))
    _merge(writer.chunks, folder)
    shutil.rmtree(aside)
    counts = {
        "documents": len(lengths),
        "documents_with_terms": int(np.count_nonzero(lengths)),
        "tokens": int(lengths.sum(dtype=np.int64)),
    }
    write_manifest(folder, {**about, "analyzer": analyzer.name, "analyzer_version": analyzer.version, **counts})


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


class _Chunk(NamedTuple):
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


class _ChunkWriter:
    """Collects the tokens of documents and writes them out sorted."""

    def __init__(self, aside: Path, analyzer: Analyzer) -> None:
        self.chunks: list[_Chunk] = []
        self.lengths: list[np.ndarray] = []
        self._aside = aside
        self._analyzer = analyzer
        self._first_document = 0
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
        keys = document_of * len(terms) + place[tokens]
        keys.sort()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        document_of, term_of = np.divmod(keys[starts], max(len(terms), 1))
        frequencies = np.diff(starts, append=len(keys))
        by_term = np.argsort(term_of * documents + document_of)
        path = self._aside / str(len(self.chunks))
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
        mapped = {name: np.load(path.with_suffix(f".{name}.npy"), mmap_mode="r") for name in columns}
        self.chunks.append(_Chunk(path.with_suffix(".terms"), **mapped))
        self._first_document += documents
        self._clear()


def _merge(chunks: list[_Chunk], folder: Path) -> None:
    """Write the terms and postings of all chunks, sorted, into the folder."""
    numbers, term_ends = _merge_terms(chunks, folder / "terms.bin")
    counts = np.zeros(len(term_ends), dtype=np.int64)
    most, shortest = np.zeros_like(counts, dtype=np.int32), np.full_like(counts, _LONGEST, dtype=np.int32)
    for chunk, number in zip(chunks, numbers, strict=True):
        counts[number] += chunk.counts
        most[number] = np.maximum(most[number], chunk.most)
        shortest[number] = np.minimum(shortest[number], chunk.shortest)
    np.save(folder / "most.npy", most)
    np.save(folder / "shortest.npy", shortest)
    ends = np.cumsum(counts)
    np.save(folder / "term_ends.npy", term_ends)
    np.save(folder / "postings_ends.npy", ends)
    total = int(ends[-1]) if len(ends) else 0
    narrow = next(np.dtype(t) for t in (np.uint8, np.uint16, np.int32) if most.max(initial=0) <= np.iinfo(t).max)
    firsts = [np.concatenate([[0], np.cumsum(chunk.counts, dtype=np.int64)]) for chunk in chunks]
    for name, dtype in (("documents", np.dtype(np.int32)), ("frequencies", narrow)):
        columns = [getattr(chunk, name) for chunk in chunks]
        blocks = _blocks(list(zip(numbers, firsts, columns, strict=True)), ends, counts)
        write_array(folder / f"{name}.npy", dtype, total, blocks)
    _write_forward(chunks, numbers, folder, narrow)


def _write_forward(chunks: list[_Chunk], numbers: list[np.ndarray], folder: Path, narrow: np.dtype[Any]) -> None:
    """Write what each document holds, chunk after chunk: their documents follow each other as they came."""
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(chunk.document_counts for chunk in chunks)])
    ends = np.cumsum(counts, dtype=np.int64)
    np.save(folder / "document_ends.npy", ends)
    total = int(ends[-1]) if len(ends) else 0
    terms = (number[chunk.document_terms] for chunk, number in zip(chunks, numbers, strict=True))
    write_array(folder / "document_terms.npy", np.dtype(np.int32), total, terms)
    frequencies = (chunk.document_frequencies for chunk in chunks)
    write_array(folder / "document_frequencies.npy", narrow, total, frequencies)


def _merge_terms(chunks: list[_Chunk], path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Write all distinct terms; returns each chunk's term numbers (v,) ascending, and the ends (V,) of the terms."""
    numbers = [array("i") for _ in chunks]
    ends = array("q")
    last = None
    with open(path, "wb") as out:
        for term, chunk in heapq.merge(*(_lines(chunk.terms, at) for at, chunk in enumerate(chunks))):
            if term != last:
                out.write(term)
                ends.append(len(term) + (ends[-1] if ends else 0))
                last = term
            numbers[chunk].append(len(ends) - 1)
    return [np.array(number, dtype=np.int64) for number in numbers], np.array(ends, dtype=np.int64)


def _lines(path: Path, chunk: int) -> Iterator[tuple[bytes, int]]:
    with open(path, "rb") as file:
        for line in file:
            yield line[:-1], chunk


def _blocks(
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]], ends: np.ndarray, counts: np.ndarray
) -> Iterator[np.ndarray]:
    """One column of all postings, in term order, some terms at a time; inside a term the chunks follow each other."""
    low = 0
    while low < len(ends):
        begin = int(ends[low] - counts[low])
        high = max(low + 1, int(np.searchsorted(ends, begin + BLOCK_POSTINGS, side="right")))
        block = np.empty(int(ends[high - 1]) - begin, dtype=np.int32)
        free = ends[low:high] - counts[low:high] - begin
        for number, first, column in rows:
            a, b = np.searchsorted(number, [low, high])
            here, count = number[a:b] - low, np.diff(first[a : b + 1])
            source = np.arange(first[a], first[b])
            block[source + np.repeat(free[here] - first[a:b], count)] = column[first[a] : first[b]]
            free[here] += count
        yield block
        low = high


def _docid_order(docids: bytes, ends: np.ndarray) -> np.ndarray:
    """The place (N,) int32 of each id when all are sorted by bytes; raises `BadData` when one comes twice."""
    starts = [0, *ends.tolist()]
    ids = [docids[start:end] for start, end in pairwise(starts)]
    by_bytes = sorted(range(len(ids)), key=ids.__getitem__)
    for one, other in pairwise(by_bytes):
        if ids[one] == ids[other]:
            raise BadData(
                f"document {shown(ids[one])} is in the corpus twice, as numbers {one + 1} and {other + 1}",
                "a document id may come only once",
            )
    order = np.empty(len(ids), dtype=np.int32)
    order[by_bytes] = np.arange(len(ids), dtype=np.int32)
    return order
