"""The index of byte offsets that documents are looked up in: built once, kept in the cache directory.

Compressed files and FIFOs cannot be read from the middle: while they are indexed they are copied into
blocks (`formats.blocks`), and documents are read from there.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.core.build_once import build_once, opened, passing_folder, remove_built
from rerank_cli.errors import WorkFailed
from rerank_cli.formats.blocks import BlockWriter
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.corpus_files import CorpusFile, corpus_files, looked_at
from rerank_cli.formats.documents import Layout, layout_of, located, records
from rerank_cli.formats.fields import opening, was_mended
from rerank_cli.formats.indexed_corpus import COLUMNS, IndexedCorpus, key_of

#: Part of the key: raise it when the index or the meaning of a record changes.
_VERSION = 1

#: Bytes a second, for the time that is said first (measured on one busy core: read, parsed and hashed; unpacked and copied as well).
_INDEXED, _COPIED = 60e6, 15e6
_SAID_FROM_SECONDS = 5


def open_corpus(paths: Sequence[str], cache_dir: Path, note: Callable[[str], None]) -> IndexedCorpus:
    """Open the documents of files, globs and folders; their index is built first where there is none in `cache_dir`.

    An index belongs to resolved paths, sizes and modification times. Building reads everything once
    (50 to 150 MB a second, 35 bytes of memory a document), under a lock that processes share; opening
    takes milliseconds. Raises `Missing` for a file that is not there, `BadData` with FILE:LINE for a
    broken record, a document id that comes twice (both places), and a cut compressed file.
    """
    files = corpus_files(paths, note)
    root = cache_dir / "texts"
    if not all(file.regular for file in files):
        return _open_passing(files, root, note)
    same_paths = _short_hash([file.path for file in files])
    folder = root / f"{same_paths}-{_short_hash([_VERSION, *((f.path, f.size, f.mtime_ns) for f in files)])}"
    was_there, waiting = folder.is_dir(), f"waiting for another process to index {files[0].name}"
    corpus = opened(
        lambda: build_once(folder, lambda aside: _build(files, aside, note), waiting=lambda: note(waiting)),
        IndexedCorpus,
    )
    for outdated in () if was_there else root.glob(f"{same_paths}-*"):
        if outdated != folder and _made_here(outdated):
            with suppress(WorkFailed):
                remove_built(outdated)
    return corpus


def _made_here(folder: Path) -> bool:
    """Whether this machine made the index, of files that it now sees changed.

    Another that shares the cache directory may have other files at the same paths and be reading its index of them: what
    is removed from a network's disk is lost to other machines that have it open.
    """
    try:
        told = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(told.get("machine") == os.uname().nodename)


def _open_passing(files: list[CorpusFile], root: Path, note: Callable[[str], None]) -> IndexedCorpus:
    """Index files of which some can be read only once (a FIFO): into a folder that nobody else sees, unlinked once open."""
    with passing_folder(root) as folder:
        _build(files, folder, note)
        return IndexedCorpus(folder)


def _build(files: list[CorpusFile], folder: Path, note: Callable[[str], None]) -> None:
    """Write the index of `files` into the empty `folder`."""
    _say_first(files, note)
    columns = (array("Q"), array("q"), array("I"))
    digest = hashlib.blake2b(digest_size=8)
    copy = None if all(file.seekable for file in files) else BlockWriter(folder / "copy.zst")
    entries, layouts, start = [], [], 0
    for file in files:
        copy_start = None if file.seekable or copy is None else copy.size
        with open_input(file.name) as stream:
            counted = _Counted(stream, None if copy_start is None else copy)
            head, lines = opening(counted)
            layout = layout_of(head, file.name)
            _index_file(lines, layout, file.name, start, columns, digest, note)
        if file.regular and looked_at(file.name)[1:4] != file[1:4]:
            raise WorkFailed(f"{file.name} has changed while it was indexed", "run again when it is whole")
        entries.append({**file._asdict(), "start": start, "bytes": counted.bytes, "copy_start": copy_start})
        layouts.append(layout)
        start += counted.bytes
    if copy is not None:
        copy.close()
    _write_sorted(columns, folder)
    meta = {"documents": len(columns[0]), "files": entries, "layouts": layouts, "fingerprint": digest.hexdigest()}
    meta["machine"] = os.uname().nodename
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    IndexedCorpus(folder).refuse_doubled()


def _index_file(
    lines: Iterator[bytes],
    layout: Layout,
    name: str,
    start: int,
    columns: tuple[array[int], array[int], array[int]],
    digest: Any,
    note: Callable[[str], None],
) -> None:
    """Append the documents of one file to the columns; every record is parsed, so that a look-up meets no broken one."""
    keys, positions, lengths = columns
    mended = 0
    for record in records(lines, layout):
        read = located(record, layout, name)
        keys.append(key_of(read.docid))
        positions.append(start + record.offset)
        lengths.append(len(record.raw))
        digest.update(record.raw)
        mended += was_mended(read.title + read.text, record.raw)
    if mended:
        note(f"warning: {name}: {mended} documents are not valid UTF-8; their broken bytes are read as U+FFFD")


def _write_sorted(columns: tuple[array[int], array[int], array[int]], folder: Path) -> None:
    arrays = [np.frombuffer(column, dtype=kind) for column, (_, kind) in zip(columns, COLUMNS, strict=True)]
    order = np.argsort(arrays[0], kind="stable")
    for values, (name, _) in zip(arrays, COLUMNS, strict=True):
        save_array(folder / f"{name}.npy", values[order])


class _Counted:
    """The lines of a stream, counted in bytes and, where it must be, copied as they pass."""

    def __init__(self, stream: Iterable[bytes], copy: BlockWriter | None) -> None:
        self._stream, self._copy = stream, copy
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self.bytes += len(line)
            if self._copy is not None:
                self._copy.write(line)
            yield line


def _say_first(files: list[CorpusFile], note: Callable[[str], None]) -> None:
    """Say what building will take, before it begins: always when something is copied, else when it takes long."""
    copied = [file for file in files if not file.seekable]
    size = sum(file.size for file in files)
    seconds = sum(file.size / (_INDEXED if file.seekable else _COPIED) for file in files)
    what = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more"
    if copied:
        how = f"{size / 1e6:.1f} MB, about {max(seconds, 1):.0f} s" if size else "of unknown size"
        note(f"making a seekable copy of {what} in the cache, once ({how})")
    elif seconds >= _SAID_FROM_SECONDS:
        note(f"indexing {what}, once ({size / 1e6:.0f} MB, about {max(seconds, 1):.0f} s)")


def _short_hash(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
