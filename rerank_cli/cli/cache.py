"""`rerank cache`: what is kept in the cache directory, and making room there."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.cli.kept import KINDS
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

EXAMPLES = [
    ("What is kept, and how large is it?", "rerank retrieve -c demo | rerank rerank -c demo -o best.run; rerank cache"),
    ("Which models were exported?", "rerank cache onnx"),
    ("Forget all answers of models", "rerank cache --prune answers"),
    ("Keep the newest gibibyte of answers and of indexes", "rerank cache --prune answers bm25 --max-size 1G"),
    ("Remove what was made a month ago or earlier, of whatever kind", "rerank cache --prune all --older-than 30d"),
]

ALL = "all"
Kind = enum.StrEnum("Kind", [(name, name) for name in (*KINDS, ALL)])  # type: ignore[misc]


def cache(
    terminal: Terminal,
    kinds: Annotated[
        list[Kind] | None, typer.Argument(metavar="[KIND]...", help="Only these kinds, entry by entry.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what is kept of the kinds named.")] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="TIME", help="With --prune: only what was made so long ago: 12h, 30d, 2w."
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="With --prune: only as much as is beyond this: 5G, 500M."),
    ] = None,
) -> None:
    """Show what is kept in the cache directory, or make room there.

    Prints KIND, ENTRIES, SIZE and PATH, separated by tabs, and the total; for kinds that are named, each
    entry: KIND, NAME, SIZE, DATE and WHAT it is. Sizes are in bytes, on a terminal in larger units.

    Kinds are answers (what models answered to pairs), bm25 (indexes), dense and impact (documents as
    vectors, or as weights of terms), texts (where documents begin in their files), onnx (exported
    models), hashes (of checkpoint files) and irds (ir_datasets that were prepared). Everything can be
    made again; removing costs the time to do so. A process that is using an entry may go on using it. An encoding
    that was stopped is an entry too, NAME.partial, from which the next one goes on: it is removed like others, and
    said; one that is under way is kept.

    --prune wants to know what: name kinds, or all. With --older-than and --max-size only what either of
    them says is removed; --max-size is the room for each kind.
    """
    from rerank_cli.cli.amounts import byte_count, seconds, shown_bytes
    from rerank_cli.cli.kept import entries
    from rerank_cli.cli.kept import prune as remove
    from rerank_cli.cli.settings import Settings

    if not prune and (older_than or max_size):
        raise WrongUsage("--older-than and --max-size say what --prune removes", "give --prune too")
    if prune and not kinds:
        raise WrongUsage("--prune does not know what to remove", f"name kinds: {', '.join(KINDS)}, or all")
    age = seconds(older_than, "--older-than") if older_than is not None else None
    room = byte_count(max_size, "--max-size") if max_size is not None else None
    place = Settings().cache_dir
    wanted = [kind for kind in KINDS if not kinds or ALL in kinds or kind in kinds]
    if prune:
        for kind in wanted:
            before = sum(entry.size for entry in entries(place, kind, terminal.warn))
            remove(place, kind, terminal.warn, older_than=age, max_size=room)
            freed = before - sum(entry.size for entry in entries(place, kind, terminal.warn))
            if freed > 0:
                terminal.note(f"removed {shown_bytes(freed)} of {kind} ({KINDS[kind]})")
    shown = shown_bytes if _on_terminal() else str
    total = 0
    for kind in wanted:
        found = entries(place, kind, terminal.warn)
        size = sum(entry.size for entry in found)
        total += size
        if kinds and not prune:
            for entry in found:
                _print(kind, entry.path.name, shown(entry.size), _date(entry.made), entry.what)
        elif found:
            _print(kind, sum(entry.count for entry in found), shown(size), place / kind)
    if not kinds or prune:
        _print("total", "", shown(total), place)


def _print(*columns: object) -> None:
    # Paths are bytes: what is not UTF-8 comes out as it is.
    typer.echo("\t".join(map(str, columns)).encode("utf-8", "surrogateescape"))


def _date(moment: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(moment).isoformat(" ", "minutes")


def _on_terminal() -> bool:
    import sys

    return sys.stdout.isatty()
