"""Runs that a command needs whole, whatever the order of their lines: `fuse` and `eval`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rerank_cli.cli.streams import input_stream
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.formats.runs import RunFile


def read_runs(paths: Sequence[str | None], input_format: str, lenient: bool, terminal: Terminal) -> list[RunFile]:
    """Read whole runs, one of which may be stdin (`-`, or None where none was named); what --lenient mended is said."""
    from rerank_cli.formats.runs import read_run

    if paths.count("-") > 1:
        raise WrongUsage("- stands for stdin, which can be read once only", "name the other runs by their files")
    files = []
    for path in paths:
        with input_stream(path, "run") as (stream, name):
            file = read_run(stream, name, format=input_format, lenient=lenient)
        if file.repairs:
            terminal.warn(f"{file.repairs} broken or doubled lines of {name} were left out (--lenient)")
        files.append(file)
    return files
