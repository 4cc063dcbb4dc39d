"""A seekable compressed copy: zstd frames of equal uncompressed size, and a table of where each begins.

A gzip file cannot be read from the middle, so a compressed corpus is unpacked once into this. The
frames one after another are an ordinary `.zst` file. A block is small because a reranker reads
documents scattered over the corpus, each at the price of one block; the measurement is at `BLOCK`.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rerank_cli.core.arrays import save_array
from rerank_cli.errors import BadData

#: Uncompressed bytes in a block.
BLOCK = 1 << 16


class BlockWriter:
    """Writes a copy to `path` and its table to `path` + `.npy` (closed with `close`)."""

    def __init__(self, path: Path) -> None:
        import zstandard

        self._path = path
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 (closed in close)
        self._compress = zstandard.ZstdCompressor(level=3).compress
        self._pending = bytearray()
        self._starts = [0]
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes; `size` counts them."""
        self._pending += data
        self.size += len(data)
        while len(self._pending) >= BLOCK:
            self._flush(BLOCK)

    def close(self) -> None:
        """Write the last block and the table."""
        if self._pending:
            self._flush(len(self._pending))
        self._file.close()
        save_array(self._path.with_name(self._path.name + ".npy"), np.array(self._starts, dtype=np.int64))

    def _flush(self, size: int) -> None:
        frame = self._compress(bytes(self._pending[:size]))
        del self._pending[:size]
        self._file.write(frame)
        self._starts.append(self._starts[-1] + len(frame))


class Blocks:
    """A written copy, opened: `window` gives a part of it as a file. Usable after the files are unlinked."""

    def __init__(self, path: Path) -> None:
        import zstandard

        self._descriptor = os.open(path, os.O_RDONLY)
        self._starts = np.load(path.with_name(path.name + ".npy"))
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._name = str(path)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def block(self, number: int) -> bytes:
        """The uncompressed bytes of one block."""
        start, stop = int(self._starts[number]), int(self._starts[number + 1])
        try:
            return self._decompress(os.pread(self._descriptor, stop - start, start), max_output_size=BLOCK)
        except Exception as error:
            raise BadData(
                f"the cached copy is damaged: {error}", "remove it, it is made again", where=self._name
            ) from error

    def window(self, start: int, size: int) -> io.RawIOBase:
        """A seekable raw file of the uncompressed bytes `start:start + size`; it keeps one block at a time."""
        return _Window(self, start, size)


class _Window(io.RawIOBase):
    def __init__(self, blocks: Blocks, start: int, size: int) -> None:
        self._blocks, self._start, self._size = blocks, start, size
        self._position = 0
        self._number, self._block = -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        number, inside = divmod(self._start + self._position, BLOCK)
        count = min(len(buffer), BLOCK - inside, self._size - self._position)
        if count <= 0:
            return 0
        if number != self._number:
            self._number, self._block = number, self._blocks.block(number)
        buffer[:count] = self._block[inside : inside + count]
        self._position += count
        return count
