"""The options of `rerank retrieve`."""

from __future__ import annotations

from typing import Annotated

import typer

from rerank_cli.cli import options

LISTS, BM25, HYBRID = "Lists", "BM25", "Hybrid"

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
