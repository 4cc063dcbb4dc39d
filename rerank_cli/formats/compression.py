"""Compressed input, told by its first bytes and decompressed as it comes.

A stage of a pipe must see a line as soon as the stage before it has written one, also through
gzip. Python's own readers wait for a full buffer from below; the one here hands on whatever a
single read brought. Nothing seeks or asks for a size, so a FIFO is as good as a file.
"""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

from rerank_cli.errors import BadData, Missing, WorkFailed, WrongUsage

#: Compressed bytes taken at a time; bounds what one step can unpack to.
_PIECE = 1 << 15
_BUFFER = 1 << 18


def open_input(path: str) -> BinaryIO:
    """Open a file for reading, decompressed; close it, or use it in `with`.

    Nothing is read before the first read. Raises `Missing` when it is not there or may not be read,
    `WrongUsage` for a folder, `WorkFailed` when no more files may be open; a read raises `BadData` where the compressed stream is cut or corrupt.
    """
    name = os.fspath(path)
    try:
        source = open(name, "rb", buffering=0)  # noqa: SIM115 (closed by the stream that is returned)
    except IsADirectoryError:
        raise WrongUsage(f"{name} is a folder, not a file", "name a file in it") from None
    except FileNotFoundError:
        raise Missing(f"{name}: no such file", "check the path") from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise WorkFailed(f"{name}: {error.strerror}", "ulimit -n says how many may be open at once") from error
        raise Missing(f"{name} cannot be read: {error.strerror}", "check the path and its permissions") from error
    return io.BufferedReader(_Decompressed(source, name, owned=True), _BUFFER)


def decompressed(stream: BinaryIO, name: str) -> BinaryIO:
    """Return what `stream` (stdin, say) holds, decompressed if its first bytes say so; `name` is for messages.

    The stream itself stays open when the result is closed. Raises while read, as `open_input` does.
    """
    return io.BufferedReader(_Decompressed(stream, name, owned=False), _BUFFER)


class _Decompressed(io.RawIOBase):
    """A raw stream over another: one read below for one read above, members and frames joined."""

    def __init__(self, source: Any, name: str, *, owned: bool) -> None:
        self._read = getattr(source, "read1", source.read)
        self._source, self._owned, self._name = source, owned, name
        self._new: Callable[[], Any] | None = None
        self._decompressor: Any = None
        self._told = False
        self._pending = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._told:
            self._tell_kind()
        if not self._ready:
            self._ready = memoryview(self._unpacked() if self._new else self._taken(len(buffer)))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def close(self) -> None:
        if self._owned and not self.closed:
            self._source.close()
        super().close()

    def _tell_kind(self) -> None:
        """Read no more than it takes to know: one byte where that already rules every kind out."""
        head = b""
        while any(len(head) < len(magic) and magic.startswith(head) for magic, _ in _KINDS):
            piece = self._read(_PIECE)
            head += piece
            if not piece:
                break
        self._new = next((new for magic, new in _KINDS if head.startswith(magic)), None)
        self._pending = head
        self._told = True

    def _taken(self, size: int) -> bytes:
        """The bytes from below: those read while telling the kind first; empty at the end."""
        if self._pending:
            piece, self._pending = self._pending, b""
            return piece
        return self._read(size) or b""

    def _unpacked(self) -> bytes:
        """The next decompressed bytes, at least one; empty at the end of the last member."""
        assert self._new is not None
        while True:
            piece = self._taken(_PIECE)
            if self._decompressor is None:
                if not piece:
                    return b""
                piece = piece.lstrip(b"\0")  # gzip and xz allow padding between members
                if not piece:
                    continue
                self._decompressor = self._new()
            elif not piece:
                raise BadData(
                    "the compressed data ends too early", "the file is cut off; get it again", where=self._name
                )
            try:
                # A piece is at most _PIECE long: the pending ones are what is left behind a member.
                out = self._decompressor.decompress(piece)
            except Exception as error:
                raise BadData(
                    f"the compressed data is corrupt: {error}", "the file is damaged; get it again", where=self._name
                ) from error
            if self._decompressor.eof:
                self._pending = self._decompressor.unused_data
                self._decompressor = None
            if out:
                return out


def _gzip() -> Any:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Any:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj()


#: First bytes -> a decompressor for one member or frame. bzip2's four alone could open a run (a query "BZh9").
_KINDS: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", _gzip),
    *((b"BZh%d1AY&SY" % level, bz2.BZ2Decompressor) for level in range(1, 10)),
    *((b"BZh%d\x17rE8P\x90" % level, bz2.BZ2Decompressor) for level in range(1, 10)),
    (b"\xfd7zXZ\0", lzma.LZMADecompressor),
    (b"\x28\xb5\x2f\xfd", _zstd),
)


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins with `head` (16 bytes are enough) is one of the kinds that are decompressed."""
    return any(head.startswith(magic) for magic, _ in _KINDS)
