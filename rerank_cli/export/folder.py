"""An exported folder where the user wants it: made aside, checked, and renamed into place when whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from rerank_cli.errors import WrongUsage
from rerank_cli.methods.exported import RECORD


def refuse_foreign(target: Path) -> None:
    """Raise `WrongUsage` when `target` holds something that no export wrote: it would be lost."""
    if target.is_dir():
        if any(target.iterdir()) and not (target / RECORD).is_file():
            raise WrongUsage(f"{target} is a folder with other files in it", "name a new folder, or an earlier export")
    elif target.exists() or target.is_symlink():
        raise WrongUsage(f"{target} is there and is not a folder", "name a new folder, or an earlier export")


def write_folder(target: Path, build: Callable[[Path], None]) -> None:
    """Call `build(empty folder)` and put the folder in place of `target`; what `build` raises leaves `target` as it was.

    Raises `WrongUsage` as `refuse_foreign` does.
    """
    refuse_foreign(target)
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = aside / "new", aside / "old"
    try:
        new.mkdir()
        build(new)
        refuse_foreign(target)
        if target.is_dir():
            os.rename(target, old)
        os.rename(new, target)
    finally:
        if old.is_dir() and not target.exists():
            os.rename(old, target)
        shutil.rmtree(aside, ignore_errors=True)
