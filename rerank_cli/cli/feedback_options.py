"""The options of `rerank retrieve` for feedback: what the first documents add to the query, and where they come from."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

FEEDBACK = "Feedback"


class Prf(enum.StrEnum):
    """What documents that are fed back do to a query: with their words, or with their vectors."""

    concatenate = "concatenate"
    each = "each"
    windows = "windows"
    average = "average"
    rocchio = "rocchio"


class PrfAggregate(enum.StrEnum):
    """How the lists of several queries are joined."""

    mean = "mean"
    max = "max"
    borda = "borda"


Rm3 = Annotated[
    bool,
    typer.Option("--rm3", rich_help_panel=FEEDBACK, help="Ask BM25 again with terms of the first documents (RM3)."),
]
Rocchio = Annotated[
    bool, typer.Option("--rocchio", rich_help_panel=FEEDBACK, help="The same with Rocchio's formula instead.")
]
FeedbackFrom = Annotated[
    str | None,
    typer.Option(
        "--feedback",
        metavar="RUN",
        rich_help_panel=FEEDBACK,
        help="Take the documents from a run, - is stdin, instead of a first search.",
    ),
]
FeedbackDocs = Annotated[
    int | None,
    typer.Option(
        "--fb-docs",
        metavar="N",
        min=1,
        rich_help_panel=FEEDBACK,
        help="Take the first N documents to be relevant; default: 10, of --prf 3.",
    ),
]
FeedbackTerms = Annotated[
    int | None,
    typer.Option("--fb-terms", metavar="N", min=1, rich_help_panel=FEEDBACK, help="Take N terms of them; default: 10."),
]
FeedbackWeight = Annotated[
    float | None,
    typer.Option(
        "--fb-weight",
        metavar="X",
        rich_help_panel=FEEDBACK,
        help="What their terms weigh: of the whole for --rm3 (0.5 when not given), beside the query's 1 for --rocchio (0.75).",
    ),
]
PrfWay = Annotated[
    Prf | None,
    typer.Option(
        "--prf",
        rich_help_panel=FEEDBACK,
        help="Ask again with their words: behind the topic's in one query, in one for each, in windows; or, of a "
        "bi-encoder, with the mean of their vectors, or as Rocchio adds them.",
    ),
]
PrfAggregateBy = Annotated[
    PrfAggregate | None,
    typer.Option(
        "--prf-aggregate", rich_help_panel=FEEDBACK, help="How several queries' lists are joined; default: mean."
    ),
]
PrfAlpha = Annotated[
    float | None,
    typer.Option(
        "--prf-alpha", metavar="X", rich_help_panel=FEEDBACK, help="The query's weight in --prf rocchio; default: 0.9."
    ),
]
PrfBeta = Annotated[
    float | None,
    typer.Option(
        "--prf-beta",
        metavar="X",
        rich_help_panel=FEEDBACK,
        help="The documents' weight in --prf rocchio; default: 0.1.",
    ),
]
