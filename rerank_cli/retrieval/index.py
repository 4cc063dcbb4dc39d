"""An inverted index on disk: for each term the documents that hold it and how often.

A folder of arrays, memory-mapped, so that opening costs milliseconds whatever the size. It holds
counts, not weights: parameters and formula are chosen by who reads it. How often a term stands in a document and how
long that is are one number, a code: all that a formula asks of a posting, and far fewer than there are postings.
Documents have numbers
from 0 in the order of the corpus; terms have numbers in the order of their bytes, so that a term is
found by bisection in a file and no dictionary of all terms is ever made.

    manifest.json       what was indexed and how; its presence says that the folder is an index
    terms.bin           the terms end to end                    term_ends.npy   (V,) int64
    postings_ends.npy   (V,) int64: where a term's rows end in the next two
    most.npy            (V,) int32: a term's highest frequency  shortest.npy    (V,) int32: the least length of its documents
    documents.npy       (P,) int32, ascending inside a term     codes.npy       (P,) uint16 or int32: rows of the next
    pairs.npy           (C, 2) int32: the frequencies, with the lengths of documents, that occur together
    document_ends.npy   (N,) int64: where a document's rows end in the next two, which are the same counts by document
    document_terms.npy  (P,) int32, ascending inside a document  document_frequencies.npy (P,) uint8, uint16 or int32
    lengths.npy         (N,) int32, index terms in a document   length_bytes.npy (N,) uint8, see `lucene_lengths`
    docids.bin          the document ids end to end             docid_ends.npy  (N,) int64
    docid_order.npy     (N,) int32: a document's place when ids are sorted by bytes; decides ties
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rerank_cli.errors import BadData
from rerank_cli.retrieval.docids import DocIds
from rerank_cli.retrieval.manifest import FILES, read_manifest

#: Raised by one whenever the files change their meaning; an index of another number is refused.
KIND, FORMAT = "bm25", 3


class Postings(NamedTuple):
    """Where a term occurs: `documents (df,)` int32 ascending, and `codes (df,)`, rows of the index's `pairs`.

    `most` is the highest of the frequencies, `shortest` the least length of these documents.
    """

    documents: np.ndarray
    codes: np.ndarray
    most: int
    shortest: int
    pairs: np.ndarray

    @property
    def frequencies(self) -> np.ndarray:
        """How often (df,) int32 the term stands in each, from 1."""
        return self.pairs[:, 0].take(self.codes)


class InvertedIndex:
    """An index folder, opened: nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; raises `Missing` when there is no index, `BadData` when it is broken or of another format."""
        self.folder = folder
        self.manifest = read_manifest(folder, KIND, FORMAT)
        self._term_ends = self._array("term_ends")
        self._postings_ends = self._array("postings_ends")
        self._most = self._array("most")
        self._shortest = self._array("shortest")
        self._documents = self._array("documents")
        self._codes = self._array("codes")
        #: (C, 2) int32: each frequency and length of a document that occur together.
        self.pairs = self._array("pairs")
        self._document_ends = self._array("document_ends")
        self._document_terms = self._array("document_terms")
        self._document_frequencies = self._array("document_frequencies")
        self.lengths = self._array("lengths")
        self.length_bytes = self._array("length_bytes")
        self._ids = DocIds(folder)
        self.docid_order = self._ids.order
        self._terms = self._bytes("terms.bin")

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.lengths)

    @property
    def terms(self) -> int:
        """The number of distinct terms."""
        return len(self._term_ends)

    @property
    def tokens(self) -> int:
        """The sum of all document lengths."""
        return int(self.manifest["tokens"])

    @property
    def documents_with_terms(self) -> int:
        """How many documents hold at least one term: the collection size of Lucene's formulas."""
        return int(self.manifest["documents_with_terms"])

    def postings(self, term: str) -> Postings | None:
        """A term's postings, views into the file; None for a term that no document holds. O(log V)."""
        wanted = term.encode("utf-8", "surrogatepass")
        number = bisect_left(range(self.terms), wanted, key=self._term)
        if number == self.terms or self._term(number) != wanted:
            return None
        rows = _rows(self._postings_ends, number)
        most, shortest = int(self._most[number]), int(self._shortest[number])
        return Postings(self._documents[rows], self._codes[rows], most, shortest, self.pairs)

    def term(self, number: int) -> str:
        """The term of a number from 0; terms are numbered in the order of their bytes."""
        return self._term(number).decode("utf-8", "surrogatepass")

    def document_frequencies(self, terms: np.ndarray) -> np.ndarray:
        """How many documents (n,) int64 hold each of the terms given by number."""
        return self._postings_ends[terms] - np.where(terms > 0, self._postings_ends[terms - 1], 0)

    def document_terms(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """What a document holds: term numbers (m,) int32 ascending and frequencies (m,) from 1, views into the files."""
        rows = _rows(self._document_ends, number)
        return self._document_terms[rows], self._document_frequencies[rows]

    def document(self, docid: bytes) -> int | None:
        """The number of a document; None for an id that is not in the index. O(log N)."""
        (number,) = self._ids.numbers([docid]).tolist()
        return number if number >= 0 else None

    def docids(self, documents: np.ndarray) -> np.ndarray:
        """The ids (n,) bytes of documents given by number; O(n)."""
        return self._ids.of(documents)

    def _term(self, number: int) -> bytes:
        return bytes(self._terms[_rows(self._term_ends, number)])

    def _array(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        self._check_named(path)
        return np.asarray(np.load(path, mmap_mode="r"))

    def _bytes(self, name: str) -> memoryview:
        path = self.folder / name
        self._check_named(path)
        if not path.stat().st_size:
            return memoryview(b"")
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def _check_named(self, path: Path) -> None:
        if path.name not in self.manifest[FILES]:
            raise BadData(
                "the index is damaged: its manifest does not name this file",
                f"remove {self.folder}; it is built again when it is needed",
                where=str(path),
            )


def _rows(ends: np.ndarray, number: int) -> slice:
    """Where the rows of one term or document lie, given where each one's end."""
    return slice(int(ends[number - 1]) if number else 0, int(ends[number]))


def array_header(dtype: np.dtype[Any], length: int) -> bytes:
    """What a one-dimensional .npy file begins with; its numbers follow."""
    out = BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue()


@cache
def lucene_lengths() -> np.ndarray:
    """The 256 document lengths (256,) int64 that Lucene can tell apart, ascending.

    It keeps a length in one byte: exact to 40, then with four significant bits, rounded down. The
    last are beyond any document (about two thousand million).
    """
    floats = np.arange(256 - 24, dtype=np.int64)
    shift = floats // 8 - 1
    return np.concatenate([np.arange(24), 24 + np.where(shift < 0, floats, (floats % 8 + 8) << np.maximum(shift, 0))])


def length_bytes(lengths: np.ndarray) -> np.ndarray:
    """Lucene's byte (n,) uint8 for each length (n,): the place in `lucene_lengths` of the greatest one not above it."""
    return (np.searchsorted(lucene_lengths(), lengths, side="right") - 1).astype(np.uint8)
