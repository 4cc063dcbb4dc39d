"""The options of `rerank retrieve`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.cli import options
from rerank_cli.cli.fuse_options import Norm

LISTS, BM25, HYBRID, DENSE = "Lists", "BM25", "Hybrid", "Dense"


class FieldsBy(enum.StrEnum):
    """How the fields of a document are joined."""

    bm25f = "bm25f"
    sum = "sum"


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
FieldWeights = Annotated[
    str | None,
    typer.Option(
        "--field-weights",
        metavar="FIELD=W,...",
        rich_help_panel=BM25,
        help="Search title and text as fields with weights (BM25F), as in title=2,text=1; a field not named is not searched.",
    ),
]
FieldB = Annotated[
    str | None,
    typer.Option(
        "--field-b",
        metavar="FIELD=B,...",
        rich_help_panel=BM25,
        help="A b for each of these fields, instead of --b.",
    ),
]
FieldsJoined = Annotated[
    FieldsBy | None,
    typer.Option(
        "--fields-by",
        rich_help_panel=BM25,
        help="Join the fields' frequencies (bm25f, the default), or add up their scores, as Anserini does (sum).",
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
NormBy = Annotated[
    Norm | None,
    typer.Option(
        "--norm",
        rich_help_panel=HYBRID,
        show_default=False,
        help="Normalise the scores of each list first; see rerank fuse --list. Default: the rule's own.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="W1,W2,...", rich_help_panel=HYBRID, help="One weight a first stage, for a weighted rule."
    ),
]
Ann = Annotated[
    bool,
    typer.Option(
        "--ann",
        rich_help_panel=DENSE,
        help="Search by a graph of neighbours, whose recall is said when it is built, instead of exactly.",
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
