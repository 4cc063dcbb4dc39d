"""The options of `rerank retrieve`."""

from __future__ import annotations

from typing import Annotated

import typer

from rerank_cli.cli import options

LISTS, BM25, FEEDBACK, HYBRID = "Lists", "BM25", "Feedback", "Hybrid"

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
VariantName = Annotated[
    str,
    typer.Option(
        "--variant",
        metavar="NAME",
        rich_help_panel=BM25,
        help="The formula: lucene, robertson, atire, bm25+ or bm25l.",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        "--delta", metavar="X", rich_help_panel=BM25, help="Of bm25+ (1 when not given) and bm25l (0.5 when not given)."
    ),
]
ExactLengths = Annotated[
    bool,
    typer.Option(
        "--exact-lengths",
        rich_help_panel=BM25,
        help="Use the lengths of documents as they are; Lucene keeps them in one byte, coarse above 40 terms.",
    ),
]
AnalyzerName = Annotated[
    str,
    typer.Option(
        "--analyzer",
        metavar="NAME",
        rich_help_panel=BM25,
        help="english (words, stop words, Porter stems, as Lucene's), whitespace (text analysed before), cjk (pairs of letters) "
        "or another language of Snowball, such as german.",
    ),
]
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
        help="Take the documents for --rm3 or --rocchio from a run, - is stdin, instead of a first search.",
    ),
]
FeedbackDocs = Annotated[
    int,
    typer.Option(
        "--fb-docs", metavar="N", min=1, rich_help_panel=FEEDBACK, help="Take the first N documents to be relevant."
    ),
]
FeedbackTerms = Annotated[
    int, typer.Option("--fb-terms", metavar="N", min=1, rich_help_panel=FEEDBACK, help="Take N terms of them.")
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
