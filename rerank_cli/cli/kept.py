"""What lies in the cache directory, kind by kind, and how it is removed.

Only folders of the known kinds, and in them only names that this program gives, are looked at: a cache directory
that was set to another folder by mistake must not lose anything.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Kind -> what it is; each is a folder of the cache directory.
KINDS = {
    "answers": "what models answered",
    "bm25": "indexes",
    "dense": "documents as vectors",
    "impact": "documents as weights of terms",
    "texts": "offsets of documents, and seekable copies of compressed ones",
    "fields": "fields of documents that were filtered by",
    "onnx": "exported models",
    "hashes": "hashes of checkpoint files",
    "tensorrt": "engines of GPUs",
    "irds": "marks of prepared ir_datasets",
}
#: Kinds that are one store of many small answers, not a folder an entry.
STORES = ("answers",)
_OURS = re.compile(r"[0-9a-f]{16,}(-[0-9a-f]{16,})?(-fast|\.json|\.partial|\.ann)?")
#: The file of an entry that tells what it is, and what to say of it.
_TOLD: dict[str, tuple[str, Callable[[Any], str]]] = {
    "bm25": (
        "manifest.json",
        lambda told: f"{told['documents']} documents, {told['analyzer']} analyzer{', fields' * ('fields' in told)}",
    ),
    "dense": ("manifest.json", lambda told: f"{told['documents']} documents, {told['encoder']['model']}"),
    "impact": (
        "manifest.json",
        lambda told: f"{told['documents']} documents, {told.get('encoder', {}).get('model', 'given weights')}",
    ),
    "texts": ("meta.json", lambda told: ", ".join(file["path"] for file in told["files"])),
    "fields": ("meta.json", lambda told: f"{told['field']} of {told['documents']} documents"),
    "onnx": ("rerank.json", lambda told: f"{told['name']}, {told['method']}, {told['precision']}"),
}
#: What a build that was stopped, or is under way, keeps to go on from; and the file that tells how far it is.
PARTIAL = ".partial"
_UNFINISHED: tuple[str, Callable[[Any], str]] = (
    "progress.json",
    lambda told: f"unfinished, with {told['documents']} documents done",
)
#: Opening a store to look into it does not prune it.
_NO_LIMIT = 2**62


@dataclass(frozen=True)
class Entry:
    """One thing that is kept: an index, a graph, or a whole store of `count` answers; `made`, seconds since 1970."""

    kind: str
    path: Path
    size: int
    made: float
    count: int = 1
    what: str = ""


def entries(cache_dir: Path, kind: str, warn: Callable[[str], None]) -> list[Entry]:
    """The entries of one kind, the oldest first; none when there is no folder of that kind."""
    from rerank_cli.core.build_once import bytes_in

    root = cache_dir / kind
    if not root.is_dir():
        return []
    if kind in STORES:
        from rerank_cli.inference.cache import AnswerCache

        with AnswerCache(root, _NO_LIMIT, warn) as store:
            kept = store.kept()
        return [Entry(kind, root, kept.size, root.stat().st_mtime, kept.entries, f"{kept.entries} answers")]
    found = []
    for path in root.iterdir():
        # Another process may remove it meanwhile.
        with suppress(FileNotFoundError):
            if _OURS.fullmatch(path.name):
                found.append(Entry(kind, path, bytes_in(path), path.stat().st_mtime, what=_what(kind, path)))
    return sorted(found, key=lambda entry: (entry.made, entry.path))


def prune(
    cache_dir: Path, kind: str, warn: Callable[[str], None], *, older_than: float | None, max_size: int | None
) -> None:
    """Remove entries of one kind: those made more than `older_than` seconds ago and the oldest beyond `max_size` bytes; else all.

    What somebody is building now stays, and is said; so is what an unfinished build that goes had done.
    """
    from rerank_cli.core.build_once import remove_built, remove_unfinished, sweep_killed_builds

    root = cache_dir / kind
    if not root.is_dir():
        return
    if kind in STORES:
        from rerank_cli.inference.cache import AnswerCache

        with AnswerCache(root, _NO_LIMIT, warn) as store:
            store.prune(max_size, older_than=older_than)
        return
    sweep_killed_builds(root)
    kept = entries(cache_dir, kind, warn)
    left = sum(entry.size for entry in kept)
    for entry in kept:
        old = older_than is not None and time.time() - entry.made > older_than
        over = max_size is not None and left > max_size
        if old or over or (older_than is None and max_size is None):
            if entry.path.suffix == PARTIAL and not remove_unfinished(entry.path.with_suffix(""), entry.path):
                warn(f"{entry.path.name} of {kind} is being made now, and is kept ({entry.what})")
                continue
            if entry.path.suffix == PARTIAL:
                warn(f"{entry.path.name} of {kind} was {entry.what}, and is removed")
            elif not entry.path.is_dir():
                entry.path.unlink(missing_ok=True)
            elif not remove_built(entry.path):
                warn(f"{entry.path.name} of {kind} is being made now, and is kept")
                continue
            left -= entry.size


def _what(kind: str, path: Path) -> str:
    """What an entry says of itself, in one line; nothing where it cannot be read."""
    if kind not in _TOLD:
        return ""
    name, say = _UNFINISHED if path.suffix == PARTIAL else _TOLD[kind]
    try:
        return " ".join(say(json.loads((path / name).read_text(encoding="utf-8"))).split())
    except (OSError, ValueError, LookupError, TypeError):
        return ""
