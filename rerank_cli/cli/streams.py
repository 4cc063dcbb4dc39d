"""stdin and stdout as data: what `-` means, who is on the other end, and files that appear when whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rerank_cli.errors import WrongUsage


@contextmanager
def input_stream(path: str | None, what: str) -> Iterator[tuple[BinaryIO, str]]:
    """Open PATH, or stdin for `-` and None; yields (decompressed stream, its name for messages).

    A terminal on stdin with nothing named is `WrongUsage`: nobody types a run by hand.
    """
    from rerank_cli.formats.compression import decompressed, open_input

    if path is None or path == "-":
        if path is None and sys.stdin.isatty():
            raise WrongUsage(f"no {what} on stdin and none named", f"name the {what}, pipe one in, or say - to type it")
        yield decompressed(sys.stdin.buffer, "stdin"), "stdin"
        return
    with open_input(path) as stream:
        yield stream, path


@contextmanager
def output_stream(path: str) -> Iterator[BinaryIO]:
    """Open PATH for writing (atomically, see `formats.output`), or stdout for `-`."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from rerank_cli.formats.output import open_output

    with open_output(path) as stream:
        yield stream
