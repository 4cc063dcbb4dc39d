"""The options of `rerank rerank` that say what is read and what becomes of it; those of the model are `model_options`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.errors import WrongUsage

LISTS = "Lists"


class Tail(enum.StrEnum):
    """What becomes of the documents below the reranked depth."""

    keep = "keep"
    drop = "drop"


class MissingText(enum.StrEnum):
    """What becomes of a document whose text is not in the collection."""

    error = "error"
    tail = "tail"
    drop = "drop"


class Aggregate(enum.StrEnum):
    """How a document's passages become its score."""

    max = "max"
    mean = "mean"
    first = "first"
    sum = "sum"


class ScoreAs(enum.StrEnum):
    """The scale of the scores that are written."""

    logit = "logit"
    margin = "margin"
    logprob = "logprob"
    prob = "prob"


RunFile = Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run to rerank; stdin when absent or -.")]

Depth = Annotated[
    int,
    typer.Option(
        "-k", "--depth", metavar="DEPTH", min=0, rich_help_panel=LISTS, help="Rerank the first DEPTH of each query."
    ),
]

Keep = Annotated[
    int | None,
    typer.Option("--keep", metavar="N", min=1, rich_help_panel=LISTS, help="Write at most N documents a query."),
]

TailKept = Annotated[
    Tail,
    typer.Option(
        "--tail", rich_help_panel=LISTS, help="Documents below DEPTH: keep them, in their old order, or drop them."
    ),
]

Interpolate = Annotated[
    float | None,
    typer.Option(
        "--interpolate",
        metavar="A",
        min=0.0,
        max=1.0,
        rich_help_panel=LISTS,
        help="Write A x model + (1-A) x first stage, both min-max scaled per query; not with minilm-blend, which has it.",
    ),
]

MissingKept = Annotated[
    MissingText,
    typer.Option(
        "--missing", rich_help_panel=LISTS, help="A document without text: stop, put it last, or leave it out."
    ),
]

PassageWindow = Annotated[
    str | None,
    typer.Option(
        "--passages",
        metavar="TOKENS:STRIDE",
        rich_help_panel=LISTS,
        help="Score a long document by passages of TOKENS tokens, one every STRIDE tokens (256:128).",
    ),
]

AggregateBy = Annotated[
    Aggregate | None,
    typer.Option(
        "--aggregate", rich_help_panel=LISTS, help="How its passages' scores become a document's; default: max."
    ),
]

ScoreScale = Annotated[
    ScoreAs | None,
    typer.Option(
        "--score-as", rich_help_panel=LISTS, help="Write another scale than the checkpoint's own; same order."
    ),
]

ExcludeSelf = Annotated[
    bool,
    typer.Option("--exclude-self", rich_help_panel=LISTS, help="Leave out the document whose id is the query's."),
]

RequireTopics = Annotated[
    str | None,
    typer.Option(
        "--require-topics",
        metavar="FILE",
        rich_help_panel=LISTS,
        help="Exit 6 when a topic of FILE is not in the run.",
    ),
]

Unordered = Annotated[bool, typer.Option("--unordered", help="Let a query's lines stand apart; buffers the whole run.")]

Stats = Annotated[
    str | None,
    typer.Option(
        "--stats", metavar="FILE", help="Write a JSON line per query: calls, tokens, truncated, cached, seconds, …"
    ),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what it would cost (pairs, tokens, truncation, with --price money); score nothing."
    ),
]


def passage_window(passages: str | None) -> tuple[int, int] | None:
    """`256:128` as (256, 128); without a stride the passages do not overlap. Raises `WrongUsage`."""
    if passages is None:
        return None
    size, colon, stride = passages.partition(":")
    stride = stride if colon else size
    if not (size.isdigit() and stride.isdigit() and 0 < int(stride) <= int(size)):
        raise WrongUsage(
            f"--passages {passages}: passages are TOKENS:STRIDE, with a stride from 1 to TOKENS", "as in 256:128"
        )
    return int(size), int(stride)
