"""The run that a command is given: checked before anything is written, peeked at for its header."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, Unmet

if TYPE_CHECKING:
    from rerank_cli.core.candidates import Candidates
    from rerank_cli.formats.runs import RunStream


def checked_file(path: str | None, input_format: str, lenient: bool, unordered: bool) -> list[bytes] | None:
    """Read a regular file to its end before anything is written; returns its queries, None for a pipe or a FIFO."""
    from rerank_cli.formats.runs import validate_run

    path = regular_file(path)
    return None if path is None else validate_run(path, format=input_format, lenient=lenient, unordered=unordered)


def regular_file(path: str | None) -> str | None:
    """A name under which the run can be opened more than once; None for a pipe or a FIFO."""
    if path is None or path == "-":
        return _file_on_stdin()
    return path if os.path.isfile(path) or not os.path.exists(path) else None


def _file_on_stdin() -> str | None:
    """A name under which a regular file on stdin (`< FILE`) can be opened once more; None for anything else."""
    try:
        regular = stat.S_ISREG(os.fstat(0).st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0
    except OSError:
        return None
    return "/dev/stdin" if regular and os.access("/dev/stdin", os.R_OK) else None


def peeked(blocks: RunStream) -> tuple[Iterator[Candidates] | None, bool]:
    """The candidates (None: there are none), and whether the run carries its texts.

    The first of them is already read, so that the run's header is known.
    """
    from itertools import chain

    rest = iter(blocks)
    first = next(rest, None)
    if first is None:
        return None, False
    carries = first.query is not None and first.documents is not None
    return chain([first], rest), carries


def say_repairs(count: int, name: str, terminal: Terminal) -> None:
    """Tell how many lines --lenient left out."""
    if count:
        terminal.warn(f"{count} broken or doubled lines of {name} were left out (--lenient)")


def topic_ids(path: str) -> list[bytes]:
    """The ids of a topics file, in its order; `BadData` where it holds none, which any run would satisfy."""
    from rerank_cli.formats.compression import open_input
    from rerank_cli.formats.topics import read_topics

    with open_input(path) as stream:
        required = list(read_topics(stream, path))
    if not required:
        raise BadData("no topics in this file", "leave --require-topics out if none is required", where=path)
    return required


def require(required: list[bytes], seen: Collection[bytes]) -> None:
    """Raise `Unmet` when a required topic was not seen."""
    from rerank_cli.core.ids import first_few

    absent = [qid for qid in required if qid not in seen]
    if absent:
        raise Unmet(f"{len(absent)} of {len(required)} required topics are not in the run: {first_few(absent)}")
