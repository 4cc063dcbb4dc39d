"""Which files make a corpus: files, globs and folders as a user names them."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rerank_cli.errors import Missing
from rerank_cli.formats.compression import is_compressed
from rerank_cli.formats.fields import first_byte
from rerank_cli.formats.sgml import holds_documents

COMPRESSED = ("", ".gz", ".zst", ".bz2", ".xz")
_NAMES = (".jsonl", ".json", ".tsv", ".sgml", ".sgm", ".trec")


class CorpusFile(NamedTuple):
    """A file of documents as it was when looked at: `name` as the user has it, `path` resolved.

    `seekable` is False for compressed files and FIFOs: those are copied before they are looked up in.
    """

    name: str
    path: str
    size: int
    mtime_ns: int
    seekable: bool
    regular: bool


def corpus_files(paths: Sequence[str], note: Callable[[str], None]) -> list[CorpusFile]:
    """Find the files that `paths` name: files as they are, globs, and folders with all that is documents by its name or beginning.

    A folder in BEIR layout means its corpus.jsonl. Files passed over in a folder are counted to `note`.
    A file named twice is taken once. Raises `Missing` when a path names nothing or may not be read.
    """
    found: dict[str, CorpusFile] = {}
    for path in paths:
        for match in _matches(os.path.expanduser(path)):
            for file in _files_in(Path(match), note) if os.path.isdir(match) else [match]:
                found.setdefault(os.path.realpath(file), looked_at(file))
    return list(found.values())


def plain_or_compressed(path: Path) -> Path:
    """The file that is there: `path`, or `path` with the ending of a compressed one; `path` itself when none is."""
    return next((found for end in COMPRESSED if (found := path.with_name(path.name + end)).is_file()), path)


def looked_at(path: str) -> CorpusFile:
    """Size, time and kind of a file, without reading more than its first bytes (nothing of a FIFO)."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return CorpusFile(path, path, 0, 0, seekable=False, regular=False)
        resolved, seekable = os.path.realpath(path), not is_compressed(_head(path))
        return CorpusFile(path, resolved, status.st_size, status.st_mtime_ns, seekable, regular=True)
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error


def _matches(path: str) -> list[str]:
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        if matches := sorted(glob.glob(path, recursive=True)):
            return matches
        raise Missing(f"no file matches {path}", "check the pattern")
    raise Missing(f"{path}: no such file or folder", "check the path of the documents")


def _files_in(folder: Path, note: Callable[[str], None]) -> list[str]:
    beir = plain_or_compressed(folder / "corpus.jsonl")
    if beir.is_file():
        return [str(beir)]
    taken: list[str] = []
    passed_over: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            (taken if _is_documents(path) else passed_over).append(path)
    if not taken:
        raise Missing(f"{folder} holds no file of documents", f"they are known by their names: {', '.join(_NAMES)}")
    if passed_over:
        shown = ", ".join(os.path.basename(path) for path in passed_over[:3])
        note(f"{folder}: {len(passed_over)} files that are not documents passed over ({shown}…)")
    return taken


def _is_documents(path: str) -> bool:
    """By its name, or, for TREC's disks, whose files have no ending, by its beginning."""
    name = path
    for end in COMPRESSED[1:]:
        name = name.removesuffix(end)
    if name.lower().endswith(_NAMES):
        return True
    head = _head(path, 4096)
    return first_byte(head) == b"<" and holds_documents(head)


def _head(path: str, size: int = 16) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(size)
