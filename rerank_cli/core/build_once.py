"""Things that are built once and kept: under a lock, aside, and renamed when whole.

Used for every index and exported graph in the cache directory: stages of one pipe that start
together on an empty cache wait for the first, and a killed build leaves nothing half-made.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from rerank_cli.errors import WorkFailed


def build_once(folder: Path, build: Callable[[Path], None], *, waiting: Callable[[], None] = lambda: None) -> Path:
    """Return `folder`, calling `build(empty folder)` first if it does not exist yet.

    Processes that ask for the same folder at once build it once: the others call `waiting()` and
    block. `build` writes into a folder beside the final one, which is renamed when it returns; what
    it raises is passed on and nothing is left. Raises `WorkFailed` when the cache cannot be written.
    """
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_name(folder.name + ".lock"), waiting):
            if folder.is_dir():
                return folder
            if folder.exists():
                raise WorkFailed(f"cannot write {folder}: a file of that name is there", "name another folder")
            _sweep(folder)
            aside = _aside(folder)
            aside.mkdir()
            try:
                build(aside)
                os.rename(aside, folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _no_room(folder.parent, error) from error
    return folder


def write_whole(path: Path, text: str) -> None:
    """Put `text` in the file: whoever reads it meets the old one or the whole new one, and of several who write at once, one.

    Makes its folder. Raises `WorkFailed` when the cache cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        try:
            with open(aside, "x", encoding="utf-8") as file:
                file.write(text)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise _no_room(path.parent, error) from error


def remove_built(folder: Path) -> None:
    """Remove what `build_once` made: at once for whoever asks for it next, and under the lock of those who build it.

    Processes that have its files open keep them. Raises `WorkFailed` when it cannot be removed.
    """
    try:
        with _locked(folder.with_name(folder.name + ".lock"), lambda: None):
            if folder.is_dir():
                os.rename(folder, _aside(folder))
            _sweep(folder)
    except OSError as error:
        raise WorkFailed(f"cannot remove {folder}: {error.strerror or error}") from error


def remove_unfinished(folder: Path, partial: Path) -> bool:
    """Remove what a build of `folder` that was stopped has left in `partial` to go on from; False while somebody builds it."""
    with open(folder.with_name(folder.name + ".lock"), "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(partial, ignore_errors=True)
    return True


def sweep_killed_builds(root: Path) -> None:
    """Remove what killed builds left in `root`, whose folders nobody is building now."""
    for lock in root.glob("*.lock"):
        with open(lock, "w") as handle, suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sweep(lock.with_suffix(""))


def bytes_in(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what is removed meanwhile counts nothing."""
    files = [path, *(Path(place, name) for place, _, names in os.walk(path) for name in names)]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            told = file.lstat()
            total += told.st_size if S_ISREG(told.st_mode) else 0
    return total


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove what killed builds of the same folder left (we hold the lock, so nobody is writing there)."""
    start = f".{folder.name}."
    for found in folder.parent.iterdir():
        # What has another dot belongs to a folder beside this one, a.v2 beside a, that somebody else may be building.
        if found.name.startswith(start) and "." not in found.name.removeprefix(start):
            shutil.rmtree(found, ignore_errors=True)


def _aside(path: Path) -> Path:
    """A name beside `path` that nobody else has: not even a process of the same number on a machine that shares the disk."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


def _no_room(folder: Path, error: OSError) -> WorkFailed:
    # numpy tells no more of a full disk than how much it wrote.
    why = error.strerror or f"a file has no room to be written whole ({error})"
    return WorkFailed(f"cannot write {folder}: {why}", "make room there, or set RERANK_CACHE_DIR to a folder with room")
