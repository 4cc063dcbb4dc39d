"""The manifest of an index folder: what was indexed, how, and every file's size; its presence says that the index is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing

MANIFEST = "manifest.json"
#: What the facts that an index depends on are called in a message.
_CALLED = {
    "fingerprint": "the documents' fingerprint",
    "doc_template": "--doc-template",
    "model_hash": "the model's hash",
    "max_length": "--max-length",
    "precision": "--precision",
}


def write_manifest(folder: Path, kind: str, format: int, about: Mapping[str, Any]) -> None:
    """Write the manifest of a finished folder: kind and format, `about`, and every file's size."""
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    text = json.dumps({"kind": kind, "format": format, **about, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path, kind: str, format: int) -> dict[str, Any]:
    """Read a manifest and compare the files' sizes with it.

    Raises `Missing` when there is none, `BadData` when it is of another kind or format, or a file is not as it was written.
    """
    path = folder / MANIFEST
    again = f"remove {folder}; it is built again when it is needed"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(
            f"{folder} is not an index: it has no {MANIFEST}", "name a folder that does not exist yet"
        ) from None
    except ValueError as error:
        raise BadData(f"not a manifest: {error}", again, where=str(path)) from error
    told = manifest if isinstance(manifest, dict) else {}
    found = (told.get("kind", "bm25"), told.get("format"))
    if found[0] != kind:
        raise BadData(f"an index of {found[0]}, where one of {kind} is due", "name another folder", where=str(path))
    if found[1] != format:
        raise BadData(f"an index of format {found[1]}; this version of rerank reads {format}", again, where=str(path))
    for name, size in told["files"].items():
        own = folder / name
        if not own.is_file() or own.stat().st_size != size:
            raise BadData(
                "the index is damaged: the file is missing or not as long as it was written", again, where=str(own)
            )
    return told


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
