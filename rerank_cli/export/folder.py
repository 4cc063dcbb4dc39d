"""An exported folder where the user wants it: made aside, checked, and renamed into place when whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rerank_cli.errors import WrongUsage
from rerank_cli.methods.exported import RECORD


def refuse_foreign(target: Path) -> None:
    """Raise `WrongUsage` when `target` holds something that no export wrote: it would be lost."""
    try:
        names = os.listdir(target)  # once: another process may replace it between two looks
    except FileNotFoundError:
        names = []
    except NotADirectoryError:
        names = None
    if names is None or (target.is_symlink() and not target.exists()):
        raise WrongUsage(f"{target} is there and is not a folder", "name a new folder, or an earlier export")
    if names and RECORD not in names:
        raise WrongUsage(f"{target} is a folder with other files in it", "name a new folder, or an earlier export")


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
        while new.is_dir():
            refuse_foreign(target)
            shutil.rmtree(old, ignore_errors=True)
            # Another process may take the folder away, or put its own there, at any moment: then it is looked at again.
            with suppress(FileNotFoundError):
                os.rename(target, old)
            try:
                os.rename(new, target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
    finally:
        if old.is_dir() and not target.exists():
            with suppress(OSError):
                os.rename(old, target)
        shutil.rmtree(aside, ignore_errors=True)
