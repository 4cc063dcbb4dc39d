"""What any index folder says of itself, whatever it holds: its manifest, and whether its files are still those that were written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing

MANIFEST = "manifest.json"
#: Keys of a manifest that are about its files.
FILES, CHECKSUMS = "files", "sha256"


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, of any kind and format; raises `Missing` where there is none, `BadData` for one that is none."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(
            f"{folder} is not an index: it has no {MANIFEST}", "rerank index --index DIR builds one"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadData(f"not a manifest: {error}", f"remove {folder} and build it again", where=str(path)) from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get(FILES), dict):
        raise BadData("not a manifest: it names no files", f"remove {folder} and build it again", where=str(path))
    return manifest


def check_files(folder: Path, manifest: dict[str, Any]) -> int:
    """Compare every file with the manifest, and read all those whose checksum it holds; returns how many those are.

    Raises `BadData` naming the first file that is missing, not as long as it was, or not what it was.
    """
    checksums = manifest.get(CHECKSUMS, {})
    for name, size in manifest[FILES].items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            what = "is missing" if found is None else f"has {found} bytes and was written with {size}"
        elif name in checksums and sha256_of(path) != checksums[name]:
            what = "is as long as it was written, but its bytes are others (by their checksum)"
        else:
            continue
        raise BadData(f"the index is damaged: this file {what}", f"remove {folder} and build it again", where=str(path))
    return len(checksums)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
