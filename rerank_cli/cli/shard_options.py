"""`--shard I/N`: one run answered by N processes, each with its own part; `rerank merge` joins the parts."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import WrongUsage

if TYPE_CHECKING:
    from rerank_cli.core.shards import Shard, Share
    from rerank_cli.core.texts import Texts

SHARDS = "Many processes"


class Cut(enum.StrEnum):
    """How the queries of a run are shared out."""

    queries = "queries"
    tokens = "tokens"


ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        rich_help_panel=SHARDS,
        help="Answer one of N shares of the queries, I from 1; rerank merge joins the parts.",
    ),
]

ShardBy = Annotated[
    Cut | None,
    typer.Option(
        "--shard-by",
        rich_help_panel=SHARDS,
        help="Every N-th query from the I-th, or a stretch of a file, cut by the lengths of its texts; default: queries.",
    ),
]


def shard_of(shard: str | None, shard_by: Cut | None, run: str | None) -> tuple[Shard, str | None] | None:
    """The shard that was asked for, and for `--shard-by tokens` the name under which the run is read once more.

    To be asked before the run is read; raises `WrongUsage` where it makes no sense or the run can be read only once.
    """
    from rerank_cli.cli.run_input import regular_file
    from rerank_cli.core.shards import Shard

    if shard is None:
        if shard_by is not None:
            raise WrongUsage(f"--shard-by {shard_by.value}, and --shard was not given", "add --shard I/N")
        return None
    path = regular_file(run) if shard_by is Cut.tokens else None
    if shard_by is Cut.tokens and path is None:
        raise WrongUsage(
            "--shard-by tokens reads the run twice, and this one can be read only once", "name the run as a file"
        )
    return Shard.read(shard), path


def share_of(
    shard: Shard,
    path: str | None,
    typed: Mapping[str, Any],
    texts: Texts | None,
    longest: int | None,
    terminal: Terminal,
) -> Share:
    """The shard's share of the run; where `path` is, by the costs of its queries, documents counting up to `longest` tokens."""
    from rerank_cli.core.shards import Share, by_cost, by_position
    from rerank_cli.formats.compression import open_input
    from rerank_cli.formats.runs import RunStream
    from rerank_cli.pipeline.costs import Measured, costs

    if path is None:
        return Share(shard, Cut.queries.value, by_position(shard))
    how = {"format": typed["input_format"].value, "lenient": typed["lenient"], "unordered": typed["unordered"]}
    if texts is not None and not isinstance(texts, Measured):
        terminal.note("the lengths of these texts are not known before they are read: documents are counted instead")
    with open_input(path) as stream:
        each = costs(RunStream(stream, path, **how), texts, typed["depth"], longest)
    mine = by_cost(shard, each)
    if total := int(each.sum()):
        own = int(each[mine.start : mine.stop].sum())
        terminal.note(f"shard {shard}: {len(mine)} of {len(each)} queries, {own / total:.1%} of the text")
    return Share(shard, Cut.tokens.value, mine)
