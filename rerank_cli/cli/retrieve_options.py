"""The options of `rerank retrieve`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.cli import options

LISTS, BM25, HYBRID, FEEDBACK = "Lists", "BM25", "Hybrid", "Feedback"


class Prf(enum.StrEnum):
    """How the best documents of a first search change the query."""

    concatenate = "concatenate"
    each = "each"
    windows = "windows"


class PrfAggregate(enum.StrEnum):
    """How the lists of several queries are joined."""

    mean = "mean"
    max = "max"
    borda = "borda"


Retriever = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", metavar="MODEL", help="The first stage, or a sum such as bm25+minilm; bm25 is the default."
    ),
]
Wanted = Annotated[
    int, typer.Option("-k", metavar="N", min=1, rich_help_panel=LISTS, help="Write at most N documents a query.")
]
ExcludeSelf = Annotated[
    bool,
    typer.Option("--exclude-self", rich_help_panel=LISTS, help="Leave out the document whose id is the query's."),
]
IndexFolder = Annotated[
    str | None,
    typer.Option(
        "--index", metavar="DIR", help="Keep the index in this folder instead of the cache; built when missing."
    ),
]
K1 = Annotated[
    float, typer.Option("--k1", metavar="X", rich_help_panel=BM25, help="How slowly repeated terms saturate.")
]
B = Annotated[
    float, typer.Option("--b", metavar="X", rich_help_panel=BM25, help="How much long documents lose, from 0 to 1.")
]
AnalyzerName = Annotated[
    str,
    typer.Option(
        "--analyzer",
        metavar="NAME",
        rich_help_panel=BM25,
        help="english (words, stop words, Porter stems, as Lucene's) or whitespace (text analysed before).",
    ),
]
FusedBy = Annotated[
    str,
    typer.Option(
        "--fuse",
        metavar="RULE",
        rich_help_panel=HYBRID,
        help="How the lists of a sum are fused; see rerank fuse --list.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="W1,W2,...", rich_help_panel=HYBRID, help="One weight a first stage, for a weighted rule."
    ),
]
Topics = Annotated[
    str | None,
    typer.Option(
        "--topics",
        metavar="FILE",
        help="Topics (JSONL, TSV, TREC SGML); - is stdin.",
        rich_help_panel=options.COLLECTION,
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="CONDITIONS",
        rich_help_panel=LISTS,
        help='Only documents whose fields meet all of these: year >= 1990 and lang = "en".',
    ),
]
TopicFilters = Annotated[
    bool,
    typer.Option(
        "--topic-filters", rich_help_panel=LISTS, help="Apply the conditions in each topic's own field filter too."
    ),
]
PrfWay = Annotated[
    Prf | None,
    typer.Option(
        "--prf",
        rich_help_panel=FEEDBACK,
        help="Search again with the text of the best documents: in one query, one for each, or one for each window of words.",
    ),
]
PrfDepth = Annotated[
    int | None,
    typer.Option(
        "--prf-depth", metavar="N", min=1, rich_help_panel=FEEDBACK, help="How many documents are fed back; default: 3."
    ),
]
PrfAggregateBy = Annotated[
    PrfAggregate | None,
    typer.Option(
        "--prf-aggregate", rich_help_panel=FEEDBACK, help="How several queries' lists are joined; default: mean."
    ),
]
