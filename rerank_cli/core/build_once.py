"""Things that are built once and kept: under a lock, aside, and renamed when whole.

Used for every index and exported graph in the cache directory: stages of one pipe that start
together on an empty cache wait for the first, and a killed build leaves nothing half-made. Another process may remove
what is kept at any moment, between the build and the opening too: so whoever opens it does so through `opened`. A lock's
file is never removed (who waits for it would hold a lock that nobody else sees) and never written to.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, TypeVar

from rerank_cli.errors import WorkFailed

T = TypeVar("T")
#: What a name beside NAME looks like while NAME is being made: .NAME.0123456789ab
_ASIDE = re.compile(r"\.(.+)\.[0-9a-f]{12}", re.DOTALL)
_LOCK = ".lock"
#: Seconds after which a file that was to be renamed at once has nobody who will do it.
_LONG = 3600
#: Times that a folder may be gone or replaced before it is open; beyond that what opening it raises is the reason.
_OPENINGS = 10


def build_once(
    folder: Path,
    build: Callable[[Path], None],
    *,
    waiting: Callable[[], None] = lambda: None,
    partial: Path | None = None,
) -> Path:
    """Return `folder`, calling `build(empty folder)` first if it does not exist yet.

    Processes that ask for the same folder at once build it once: the others call `waiting()` and
    block. `build` writes into a folder beside the final one, which is renamed when it returns; what
    it raises is passed on and nothing is left. `partial` is what stopped builds left to go on from: it is removed, under the
    same lock, when the folder is there. Raises `WorkFailed` when the cache cannot be written.
    """
    if folder.is_dir() and not (partial is not None and partial.is_dir() and os.access(partial, os.W_OK)):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(_lock_of(folder), waiting):
            if not folder.is_dir():
                _build(folder, build)
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise _no_room(folder.parent, error) from error
    return folder


def _build(folder: Path, build: Callable[[Path], None]) -> None:
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


def opened(make: Callable[[], Path], open_folder: Callable[[Path], T]) -> T:
    """Open the folder that `make` returns: again where another process removed or replaced it before it was open.

    Raises what opening raises of a folder that is still the same.
    """
    for _ in range(_OPENINGS):
        folder = make()
        before = _identity(folder)
        try:
            return open_folder(folder)
        except Exception:
            if before is not None and _identity(folder) == before:
                raise
    return open_folder(make())


def _identity(folder: Path) -> tuple[int, int] | None:
    """What another folder of the same name does not have; None where there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


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


def remove_built(folder: Path) -> bool:
    """Remove what `build_once` made: at once for whoever asks for it next, and under the lock of those who build it.

    Processes that have its files open keep them. False where something inside it is being built now, and it stays. Raises
    `WorkFailed` when it cannot be removed.
    """
    try:
        with _locked(_lock_of(folder), lambda: None):
            inside = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
            if any(_held(lock) for lock in inside if lock.suffix == _LOCK):
                return False
            if folder.is_dir():
                os.rename(folder, _aside(folder))
            _sweep(folder)
    except OSError as error:
        raise WorkFailed(f"cannot remove {folder}: {error.strerror or error}") from error
    return True


def remove_unfinished(folder: Path, partial: Path) -> bool:
    """Remove what a build of `folder` that was stopped has left in `partial` to go on from; False while somebody builds it."""
    with _lock_if_free(_lock_of(folder)) as free:
        if free:
            shutil.rmtree(partial, ignore_errors=True)
    return free


def sweep_killed_builds(root: Path) -> None:
    """Remove what killed builds left in `root`, whose folders nobody is building now, and files that nobody will rename."""
    for lock in root.glob(f"*{_LOCK}"):
        with _lock_if_free(lock) as free:
            if free:
                _sweep(lock.with_suffix(""))
    for found in root.iterdir():
        with suppress(FileNotFoundError):
            if _ASIDE.fullmatch(found.name) and found.is_file() and time.time() - found.stat().st_mtime > _LONG:
                found.unlink()


@contextmanager
def passing_folder(root: Path) -> Iterator[Path]:
    """A new folder in `root` that is gone when the block ends; what a kill leaves of it is swept as that of builds is."""
    root.mkdir(parents=True, exist_ok=True)
    with _lock_file(_lock_of(root / "passing")) as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # any number of processes have one
        folder = _aside(root / "passing")
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def bytes_in(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what is removed meanwhile counts nothing."""
    files = [path, *(Path(place, name) for place, _, names in os.walk(path) for name in names)]
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            told = file.lstat()
            total += told.st_size if S_ISREG(told.st_mode) else 0
    return total


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _lock_file(path: Path) -> BinaryIO:
    """A lock's file, open to read and to write, as shared and exclusive locks on a network's disk want it.

    Nothing is written: beside a folder of the user's it may be a file of somebody else's.
    """
    return open(path, "a+b")


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with _lock_file(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _lock_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock if nobody else does; yields whether."""
    with _lock_file(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _held(lock: Path) -> bool:
    with _lock_if_free(lock) as free:
        return not free


def _sweep(folder: Path) -> None:
    """Remove what killed builds of the same folder left (we hold the lock, so nobody is writing there)."""
    for found in folder.parent.iterdir():
        # Only names that `_aside` gives: beside a folder of the user's lie others of his, and a.v2 beside a may be being built.
        match = _ASIDE.fullmatch(found.name)
        if match and match[1] == folder.name:
            shutil.rmtree(found, ignore_errors=True)


def _aside(path: Path) -> Path:
    """A name beside `path` that nobody else has: not even a process of the same number on a machine that shares the disk."""
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def _no_room(folder: Path, error: OSError) -> WorkFailed:
    # numpy tells no more of a full disk than how much it wrote.
    why = error.strerror or f"a file has no room to be written whole ({error})"
    return WorkFailed(f"cannot write {folder}: {why}", "make room there, or set RERANK_CACHE_DIR to a folder with room")
