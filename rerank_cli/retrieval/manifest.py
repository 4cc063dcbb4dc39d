"""What any index folder says of itself: what was indexed, how, and its files, whose presence and size say that it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rerank_cli
from rerank_cli.errors import BadData, Missing

MANIFEST = "manifest.json"
#: Keys of a manifest that are about its files.
FILES, CHECKSUMS = "files", "sha256"
#: What the facts that an index depends on are called in a message.
_CALLED = {
    "fingerprint": "the documents' fingerprint",
    "doc_template": "--doc-template",
    "fields": "the fields",
    "analyzer": "the analyzer",
    "analyzer_version": "the analyzer's version",
    "model_hash": "the model's hash",
    "max_length": "--max-length",
    "precision": "--precision",
}


def write_manifest(folder: Path, kind: str, format: int, about: Mapping[str, Any], inside: Sequence[str] = ()) -> None:
    """Write the manifest of a finished folder: kind, format, `about`, versions, size and checksum of every file in it and `inside`."""
    paths = [path for name in ("", *inside) for path in sorted((folder / name).iterdir()) if path.is_file()]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    told = {
        "kind": kind,
        "format": format,
        **about,
        "versions": {"rerank": rerank_cli.__version__, "numpy": np.__version__},
        FILES: {name: path.stat().st_size for name, path in files.items()},
        CHECKSUMS: {name: _sha256(path) for name, path in files.items()},
    }
    text = json.dumps(told, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, of any kind and format; raises `Missing` where there is none, `BadData` for one that is none."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(
            f"{folder} is not an index: it has no {MANIFEST}",
            "rerank index --index DIR builds one, where there is no folder DIR yet",
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadData(f"not a manifest: {error}", _again(folder), where=str(path)) from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get(FILES), dict):
        raise BadData("not a manifest: it names no files", _again(folder), where=str(path))
    return manifest


def read_manifest(folder: Path, kind: str, format: int) -> dict[str, Any]:
    """Read a manifest and compare the files' sizes with it.

    Raises `Missing` when there is none, `BadData` when it is of another kind or format, or a file is not as it was written.
    """
    manifest = manifest_of(folder)
    found = (manifest.get("kind", "bm25"), manifest.get("format"))
    if found[0] != kind:
        raise BadData(
            f"an index of {found[0]}, where one of {kind} is due", "name another folder", where=str(folder / MANIFEST)
        )
    if found[1] != format:
        raise BadData(
            f"an index of format {found[1]}; this version of rerank reads {format}",
            _again(folder),
            where=str(folder / MANIFEST),
        )
    _check(folder, manifest, {})
    return manifest


def check_files(folder: Path, manifest: dict[str, Any]) -> int:
    """Compare every file with the manifest, and read all those whose checksum it holds; returns how many those are.

    Raises `BadData` naming the first file that is missing, not as long as it was, or not what it was.
    """
    checksums = manifest.get(CHECKSUMS, {})
    _check(folder, manifest, checksums)
    return len(checksums)


def refuse_other(manifest: Mapping[str, Any], wanted: Mapping[str, Any], place: Path) -> None:
    """Raise `BadData` naming the first of the facts `wanted` that the index in `place` was not built from."""
    for name, value in wanted.items():
        if manifest.get(name) != value:
            raise BadData(
                f"the index was built from something else: {_CALLED.get(name, name)} is {manifest.get(name)!r} there "
                f"and {value!r} here",
                "name another folder with --index, or remove this one to have it built again",
                where=str(place),
            )


def key_of(wanted: Mapping[str, Any], format: int) -> str:
    """The name of an index in the cache directory: a hash of everything that it depends on."""
    whole = "\0".join(f"{name}={value}" for name, value in {**wanted, "format": format}.items())
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _check(folder: Path, manifest: dict[str, Any], checksums: Mapping[str, str]) -> None:
    for name, size in manifest[FILES].items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            what = "is missing" if found is None else f"has {found} bytes and was written with {size}"
        elif name in checksums and _sha256(path) != checksums[name]:
            what = "is as long as it was written, but its bytes are others (by their checksum)"
        else:
            continue
        raise BadData(f"the index is damaged: this file {what}", _again(folder), where=str(path))


def _again(folder: Path) -> str:
    return f"remove {folder}; it is built again when it is needed"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
