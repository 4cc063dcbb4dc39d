"""The options of `rerank select`: its steps, in the order in which they are done."""

from __future__ import annotations

from typing import Annotated

import typer

STEPS = "Steps, in this order"

RunFile = Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run to shorten; stdin when absent or -.")]
Depth = Annotated[
    int | None,
    typer.Option(
        "--depth",
        metavar="N",
        min=1,
        rich_help_panel=STEPS,
        help="Look at the first N of each query only; default: all, with --mmr the first 100.",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", metavar="X", rich_help_panel=STEPS, help="Leave out what scores below X."),
]
Ratio = Annotated[
    float | None,
    typer.Option(
        "--ratio",
        metavar="X",
        min=0.0,
        max=1.0,
        rich_help_panel=STEPS,
        help="Leave out what scores below X times the query's best, which must be above 0.",
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin",
        metavar="X",
        min=0.0,
        rich_help_panel=STEPS,
        help="Leave out what scores more than X below the query's best.",
    ),
]
NearDuplicates = Annotated[
    float | None,
    typer.Option(
        "--near-duplicates",
        metavar="T",
        min=0.0,
        max=1.0,
        rich_help_panel=STEPS,
        help="Leave out a document that shares T or more of its five-word runs (Jaccard) with one above it; 0.9 is usual.",
    ),
]
Mmr = Annotated[
    float | None,
    typer.Option(
        "--mmr",
        metavar="X",
        min=0.0,
        max=1.0,
        rich_help_panel=STEPS,
        help="Order by X x relevance - (1-X) x likeness to what stands above; 0.7 is a beginning.",
    ),
]
Wanted = Annotated[
    int | None, typer.Option("-k", metavar="N", min=1, rich_help_panel=STEPS, help="Write at most N documents a query.")
]
Model = Annotated[
    str | None,
    typer.Option("-m", "--model", metavar="MODEL", help="The bi-encoder that --mmr compares with; default: minilm."),
]
Stats = Annotated[
    str | None,
    typer.Option("--stats", metavar="FILE", help="Write a JSON line per query: what was kept, and left out by what."),
]
