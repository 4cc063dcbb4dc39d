"""Runs that a command needs whole, whatever the order of their lines: `fuse`, `eval` and `diff`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO

from rerank_cli.cli.run_input import say_repairs
from rerank_cli.cli.streams import input_stream
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import BadData, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.formats.runs import RunFile


def read_runs(paths: Sequence[str | None], input_format: str, lenient: bool, terminal: Terminal) -> list[RunFile]:
    """Read whole runs, one of which may be stdin (`-`, or None where none was named); what --lenient mended is said."""
    from concurrent.futures import ThreadPoolExecutor

    from rerank_cli.formats.runs import read_run

    if paths.count("-") > 1:
        raise WrongUsage("- stands for stdin, which can be read once only", "name the other runs by their files")
    with ExitStack() as opened:
        streams = [opened.enter_context(input_stream(path, "run")) for path in paths]

        def read(source: tuple[BinaryIO, str]) -> RunFile:
            return read_run(*source, format=input_format, lenient=lenient)

        if len(paths) == 1:
            files = [read(streams[0])]
        else:
            with ThreadPoolExecutor(min(len(paths), os.cpu_count() or 1)) as pool:
                files = list(pool.map(read, streams))
    for file, (_, name) in zip(files, streams, strict=True):
        say_repairs(file.repairs, name, terminal)
    return files


def warn_of_absent_queries(files: Sequence[RunFile], paths: Sequence[str], terminal: Terminal) -> None:
    """Say which runs lack queries that others have: their lists are made of fewer runs."""
    from rerank_cli.core.ids import shown

    every = {qid: None for file in files for qid in file.run.qids}
    for file, path in zip(files, paths, strict=True):
        own = set(file.run.qids)
        absent = [qid for qid in every if qid not in own]
        if absent:
            first = ", ".join(shown(qid) for qid in absent[:3]) + (", …" if len(absent) > 3 else "")
            terminal.warn(f"{path} lacks {len(absent)} of {len(every)} queries: {first}")


def agreed_header(files: Sequence[RunFile], paths: Sequence[str | None]) -> dict[str, Any]:
    """The collection and fingerprint that the headers of runs name, empty where they name none or several collections.

    Raises `BadData` when two fingerprints differ: such runs are over other documents.
    """
    told = [(path or "stdin", file.header) for path, file in zip(paths, files, strict=True) if file.header]
    prints = {path: header["fingerprint"] for path, header in told if header.get("fingerprint")}
    if len(set(prints.values())) > 1:
        one, other = next((a, b) for a in prints for b in prints if prints[a] != prints[b])
        raise BadData(
            f"its documents are not those of {one} (fingerprints {prints[other]} and {prints[one]})",
            "runs that meet must be of one collection",
            where=other,
        )
    names = {header.get("collection") for _, header in told}
    if len(names) != 1 or None in names:
        return {}
    return {"collection": names.pop(), "fingerprint": next(iter(prints.values()), None)}
