"""Output that appears when it is whole: written beside its place, renamed at the end.

Whatever stops the writing (an error, Ctrl-C, SIGTERM, a full disk) leaves the old file as it was
and nothing beside it. What is no regular file (`/dev/null`, a FIFO, `/dev/stdout`) is written through.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from rerank_cli.errors import Missing, WorkFailed, WrongUsage

_BUFFER = 1 << 16
#: Compressed files that are read and not written: what is none must not be called so.
_READ_ONLY = (".bz2", ".xz")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


@contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """Write a file: it is there, whole, when the block ends without an error, else as it was before.

    Symbolic links are followed to their target, a new file gets the umask's mode, an existing one
    keeps its own. A name ending `.gz` or `.zst` is compressed. Raises `WrongUsage` for a folder and for .bz2 and .xz,
    `Missing` when the folder is not there, `WorkFailed` naming the file when it cannot be written
    or the disk is full; a closed pipe stays `BrokenPipeError`.
    """
    name = os.fspath(path)
    descriptor = _descriptor(name)
    if descriptor is not None:
        with _failures_named(name):
            copy = os.dup(descriptor)
        with _writing(_Target(copy, name), name) as stream:
            yield stream
        return
    old = _status(name)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise WrongUsage(f"{name} is a folder, not a file", "name a file in it")
    if name.endswith(_READ_ONLY):
        raise WrongUsage(f"{name}: what is written is compressed as .gz or .zst, or not at all", "name it so")
    if old is not None and not stat.S_ISREG(old.st_mode):
        with _failures_named(name):
            through = os.open(name, os.O_WRONLY)
        with _writing(_Target(through, name), name) as stream:
            yield stream
        return
    with _replacing(os.path.realpath(name), name, old) as stream:
        yield stream


def is_regular_target(path: str) -> bool:
    """Whether `open_output` makes or replaces a regular file there, instead of writing through to what is."""
    old = _status(os.fspath(path))
    return _descriptor(os.fspath(path)) is None and (old is None or stat.S_ISREG(old.st_mode))


@contextmanager
def _replacing(target: str, name: str, old: os.stat_result | None) -> Iterator[BinaryIO]:
    folder, base = os.path.split(target)
    if old is not None and not os.access(target, os.W_OK):
        raise WorkFailed(f"{name} cannot be written: {os.strerror(errno.EACCES)}", "check its permissions")
    aside = os.path.join(folder, f".{base[:100]}.{os.urandom(6).hex()}.part")
    try:
        with _failures_named(name):
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            if old is not None:
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        with _writing(_Target(descriptor, name), name) as stream:
            yield stream
        with _failures_named(name):
            os.replace(aside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


@contextmanager
def _writing(target: _Target, name: str) -> Iterator[BinaryIO]:
    """The buffered, perhaps compressing, stream over a target; closed when the block ends, thrown away on an error."""
    buffered = io.BufferedWriter(target, _BUFFER)
    stream: Any = buffered
    try:
        stream = _compressing(buffered, name)
        yield stream
        if stream is not buffered:
            stream.close()
        buffered.close()
    except BaseException:
        target.discards = True
        with contextlib.suppress(Exception):
            if stream is not buffered:
                stream.close()
        with contextlib.suppress(Exception):
            buffered.close()
        raise


def _compressing(buffered: Any, name: str) -> Any:
    if name.endswith(".gz"):
        import gzip

        # No name and no time inside: the same output gives the same bytes.
        return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=buffered, mtime=0)
    if name.endswith(".zst"):
        import zstandard

        return zstandard.ZstdCompressor(level=3).stream_writer(buffered, closefd=False)
    return buffered


class _Target(io.FileIO):
    """A file whose failed writes say its name; `discards` makes it swallow what a failed writer still holds."""

    def __init__(self, descriptor: int, shown: str) -> None:
        super().__init__(descriptor, "wb")
        self.shown = shown
        self.discards = False

    def write(self, data: Any) -> int:
        if self.discards:
            return len(data)
        with _failures_named(self.shown):
            return super().write(data)

    def close(self) -> None:
        with _failures_named(self.shown):
            super().close()


@contextmanager
def _failures_named(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except FileNotFoundError:
        raise Missing(f"{name}: its folder does not exist", "make the folder first") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WorkFailed(f"{name}: no space left on the disk", "free some space or write elsewhere") from error
        raise WorkFailed(f"{name} cannot be written: {error.strerror}", "check the path and its permissions") from error


def _descriptor(name: str) -> int | None:
    """The open descriptor that a name such as /dev/stdout or /dev/fd/3 stands for."""
    if name in _STANDARD:
        return _STANDARD[name]
    match = _DESCRIPTOR.fullmatch(name)
    return int(match[1]) if match else None


def _status(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorkFailed(f"{name} cannot be written: {error.strerror}", "check the path and its permissions") from error
