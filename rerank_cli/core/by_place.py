"""Things over a folder, pickled as where it is: another process opens it again, and memory-maps the same files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rerank_cli.errors import Missing


def by_place(open_folders: Callable[..., Any], *folders: Path) -> tuple[Any, ...]:
    """What `__reduce__` returns of what `open_folders(*folders)` opens."""
    return _opened, (open_folders, *(folder.absolute() for folder in folders))


def _opened(open_folders: Callable[..., Any], *folders: Path) -> Any:
    """Open the folders; raises `Missing` with folder and machine for one that is not there."""
    for folder in folders:
        if not folder.is_dir():
            raise Missing(
                f"{folder}: no such folder on {os.uname().nodename}, where a worker is to open it",
                "it must lie where all workers see it: --index names an index's folder, RERANK_CACHE_DIR that of all others",
            )
    return open_folders(*folders)
