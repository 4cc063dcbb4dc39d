"""One field of all documents, so that a condition on it is answered for any document without reading it again.

A column is three arrays: the documents' 64-bit keys, sorted; for each the number of its value, -1 where it has none;
and the distinct values, strings and numbers. A condition is asked once of each distinct value. Columns are read from
the corpus once and kept in the cache directory: twelve bytes a document and the values.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.core.build_once import build_once, opened
from rerank_cli.core.by_place import by_place
from rerank_cli.core.growing import Growing
from rerank_cli.core.hashing import fingerprints
from rerank_cli.errors import WorkFailed
from rerank_cli.formats.indexed_corpus import IndexedCorpus

#: Part of the key: raise it when the files or their meaning change.
_VERSION = 1
#: Documents read at a time.
_BLOCK = 1 << 14
T = TypeVar("T")


class FieldColumn:
    """A field of N documents: `codes (N,)` int32, -1 or a position in `values`; in an order that all columns of a corpus share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.values: list[str | int | float] = json.loads((folder / "values.json").read_text(encoding="utf-8"))
        self._keys = np.load(folder / "keys.npy")
        self.codes: np.ndarray = np.load(folder / "codes.npy")

    def __reduce__(self) -> tuple[Any, ...]:
        """See `by_place`."""
        return by_place(FieldColumn, self._folder)

    def of(self, docids: Sequence[bytes] | np.ndarray) -> np.ndarray:
        """The codes (n,) of documents, -1 also for those that are not in the corpus."""
        keys = _keys(docids)
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int32)
        rows = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[rows] == keys, self.codes[rows], -1)


def field_column(corpus: IndexedCorpus, field: str, cache_dir: Path, note: Callable[[str], None]) -> FieldColumn:
    """The column of a field, read from the corpus first where the cache has none.

    Raises `WrongUsage` for documents that are not JSONL, which have no other fields than their text.
    """
    told = json.dumps([_VERSION, corpus.fingerprint, field])
    folder = cache_dir / "fields" / hashlib.blake2b(told.encode(), digest_size=12).hexdigest()

    def build(aside: Path) -> None:
        note(f"reading {field} of {len(corpus)} documents, once")
        _build(corpus, field, aside)

    waiting = f"waiting for another process to read {field}"
    return opened(lambda: build_once(folder, build, waiting=lambda: note(waiting)), FieldColumn)


def _build(corpus: IndexedCorpus, field: str, folder: Path) -> None:
    keys, codes = Growing(), array("i")
    numbers: dict[str | int | float, int] = {}
    for block in _blocks(corpus.objects()):
        keys.add(_keys([docid for docid, _ in block]))
        for _, record in block:
            value = _value(record, field)
            codes.append(-1 if value is None else numbers.setdefault(value, len(numbers)))
    every = np.asarray(keys.array, dtype=np.uint64)
    order = np.argsort(every)
    every = every[order]
    if np.any(every[1:] == every[:-1]):
        raise WorkFailed("two document ids have the same 64-bit hash, so a filter cannot tell them apart")
    save_array(folder / "keys.npy", every)
    save_array(folder / "codes.npy", np.frombuffer(codes, dtype=np.int32)[order])
    (folder / "values.json").write_text(json.dumps(list(numbers)), encoding="utf-8")
    told = {"field": field, "documents": len(every), "fingerprint": corpus.fingerprint}
    (folder / "meta.json").write_text(json.dumps(told), encoding="utf-8")


def _blocks(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while block := list(islice(rest, _BLOCK)):
        yield block


def _keys(docids: Sequence[bytes] | np.ndarray) -> np.ndarray:
    """A 64-bit hash of each id, (n,) uint64."""
    ids = np.asarray(docids, dtype=np.bytes_)
    return fingerprints(ids, np.zeros(len(ids), dtype=np.uint64))


def _value(record: dict[str, Any], field: str) -> str | int | float | None:
    """The string or number of a field, or of a field inside another (`metadata.year`); None where there is none."""
    value: Any = record
    if field in record:
        value = record[field]
    else:
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
