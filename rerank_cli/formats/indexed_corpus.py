"""Documents by id without the corpus in memory: a binary search and one read.

The index is three columns sorted by a 64-bit hash of the document id: hash, position, length. A
position counts through all files of the corpus as if they stood one after another. The record that is
read says its own id, so two ids of one hash do no harm. Twenty bytes a document: 180 MB, mapped, for
the 8.8 million passages of MS MARCO. `formats.offsets` builds it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.by_place import by_place
from rerank_cli.core.ids import shown
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, Missing, WorkFailed, WrongUsage
from rerank_cli.formats.blocks import Blocks
from rerank_cli.formats.documents import Layout, document, located, records
from rerank_cli.formats.fields import DOCUMENT_ID, first_of, identifier, json_object

#: The columns and their types; each is a file NAME.npy.
COLUMNS = (("keys", np.uint64), ("positions", np.int64), ("lengths", np.uint32))


def key_of(docid: bytes) -> int:
    """The 64-bit hash that a document id is filed under."""
    return int.from_bytes(hashlib.blake2b(docid, digest_size=8).digest(), "little")


class IndexedCorpus:
    """A `core.texts.Corpus` over files: `lookup` reads only the documents asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        self._files: list[dict[str, Any]] = meta["files"]
        self._layouts = [Layout(kind, tuple(columns), header) for kind, columns, header in meta["layouts"]]
        self._starts = np.array([file["start"] for file in self._files], dtype=np.int64)
        self._keys, self._positions, self._lengths = (
            np.load(folder / f"{name}.npy", mmap_mode="r" if meta["documents"] else None) for name, _ in COLUMNS
        )
        copied = any(file["copy_start"] is not None for file in self._files)
        self._blocks = Blocks(folder / "copy.zst") if copied else None
        self._fingerprint: str = meta["fingerprint"]

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(IndexedCorpus, self._folder)

    @property
    def fingerprint(self) -> str:
        """A hash of the documents' bytes: the same wherever the files lie, and compressed or not."""
        return self._fingerprint

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Document]:
        for number, file in enumerate(self._files):
            with io.BufferedReader(self._open(number), 1 << 18) as stream:
                layout = self._layouts[number]
                for record in records(stream, layout):
                    yield located(record, layout, file["name"])
                self._refuse_changed(number, stream)

    def objects(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Every document's id and whole JSON object, with the fields that a `Document` has no place for.

        Raises `WrongUsage` for a file that is not JSONL.
        """
        for number, file in enumerate(self._files):
            if self._layouts[number].kind != "jsonl":
                raise WrongUsage(f"{file['name']} is not JSONL, so its documents have no other fields")
            with io.BufferedReader(self._open(number), 1 << 18) as stream:
                for record in records(stream, self._layouts[number]):
                    whole = json_object(record.raw)
                    yield identifier(first_of(whole, DOCUMENT_ID, "document id"), "document id"), whole
                self._refuse_changed(number, stream)

    def lookup(self, docids: Sequence[bytes]) -> list[Document | None]:
        """Return the documents in the order asked, None for an id that is not there.

        Reads each document once however often it is asked for, in the order of the files. About 10 µs
        a document (60 from a compressed copy); raises `WorkFailed` when a file has changed since it was opened.
        """
        ids = list(dict.fromkeys(bytes(docid) for docid in docids))
        keys = np.array([key_of(docid) for docid in ids], dtype=np.uint64)
        rows = np.searchsorted(self._keys, keys)
        found: dict[bytes, Document] = {}
        pending = np.arange(len(ids))
        while len(pending):
            pending = pending[rows[pending] < len(self._keys)]
            pending = pending[self._keys[rows[pending]] == keys[pending]]
            found.update((read.docid, read) for read in self._read(rows[pending]))
            pending = np.array([p for p in pending.tolist() if ids[p] not in found], dtype=np.intp)
            rows[pending] += 1
        return [found.get(bytes(docid)) for docid in docids]

    def contains(self, docids: Sequence[bytes]) -> list[bool]:
        """Whether each id is there, in the order asked, by the index alone: about 2 µs an id, no file is opened.

        An id counts as there when its 64-bit hash is: a million ids that are not among nine million documents would
        with a chance of one in two million hold one that is taken to be.
        """
        return (self.sizes(docids) > 0).tolist()

    def sizes(self, docids: Sequence[bytes]) -> np.ndarray:
        """The bytes of each document's record (n,) int64, 0 for an id that is not there; as cheap and as sure as `contains`."""
        keys = np.array([key_of(bytes(docid)) for docid in docids], dtype=np.uint64)
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.int64)
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[rows] == keys, self._lengths[rows].astype(np.int64), 0)

    def _read(self, rows: np.ndarray) -> list[Document]:
        """The documents of index rows, in the order of the rows, read in the order of the files."""
        positions, lengths = self._positions[rows], self._lengths[rows]
        numbers = np.searchsorted(self._starts, positions, side="right") - 1
        documents: list[Document | None] = [None] * len(rows)
        stream: io.RawIOBase | None = None
        opened = -1
        try:
            for i in np.argsort(positions, kind="stable").tolist():
                number = int(numbers[i])
                if number != opened or stream is None:
                    if stream is not None:
                        self._refuse_changed(opened, stream)
                        stream.close()
                    stream, opened = self._open(number), number
                raw = _read_at(stream, int(positions[i]) - self._files[number]["start"], int(lengths[i]))
                documents[i] = document(raw, self._layouts[number])
            if stream is not None:
                self._refuse_changed(opened, stream)
        finally:
            if stream is not None:
                stream.close()
        return [read for read in documents if read is not None]

    def _open(self, number: int) -> io.RawIOBase:
        """A file of the corpus or its copy, unbuffered; raises `WorkFailed` when it is not the file that was indexed."""
        file = self._files[number]
        if file["copy_start"] is not None:
            assert self._blocks is not None
            return self._blocks.window(file["copy_start"], file["bytes"])
        try:
            stream = open(file["path"], "rb", buffering=0)  # noqa: SIM115 (the caller closes it)
        except OSError as error:
            raise Missing(f"{file['name']} cannot be read any more: {error.strerror}") from error
        try:
            self._refuse_changed(number, stream)
        except WorkFailed:
            stream.close()
            raise
        return stream

    def _refuse_changed(self, number: int, stream: Any) -> None:
        """Raise `WorkFailed` when a file is not as it was indexed: before it is read, and once more when it was."""
        file = self._files[number]
        if file["copy_start"] is None:
            status = os.fstat(stream.fileno())
            if (status.st_size, status.st_mtime_ns) != (file["size"], file["mtime_ns"]):
                raise WorkFailed(f"{file['name']} has changed while it was in use", "run again when it is whole")

    def refuse_doubled(self) -> None:
        """Raise `BadData` naming both places when two documents have one id. O(N), reads only what shares a hash."""
        rows = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if not len(rows):
            return
        rows = np.unique(np.concatenate([rows, rows + 1]))
        first_place: dict[bytes, int] = {}
        for row, read in sorted(zip(rows.tolist(), self._read(rows), strict=True), key=lambda x: self._positions[x[0]]):
            if read.docid in first_place:
                raise BadData(
                    f"document {shown(read.docid)} is there twice, first at {self._place(first_place[read.docid])}",
                    "an id names one document: leave one of the two out",
                    where=self._place(row),
                )
            first_place[read.docid] = row

    def _place(self, row: int) -> str:
        """FILE:LINE of a document, found by counting (for messages only)."""
        number = int(np.searchsorted(self._starts, self._positions[row], side="right")) - 1
        file = self._files[number]
        with self._open(number) as stream:
            before = _read_at(stream, 0, int(self._positions[row]) - file["start"])
        return f"{file['name']}:{before.count(10) + 1}"


def _read_at(stream: io.RawIOBase, offset: int, length: int) -> bytes:
    """Read exactly `length` bytes at `offset`, or what there is."""
    stream.seek(offset)
    data = stream.read(length) or b""
    while len(data) < length and (more := stream.read(length - len(data))):
        data += more
    return data
