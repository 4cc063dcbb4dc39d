"""The options that only `eval` has, under the headings of its help."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Format(enum.StrEnum):
    """How values are written."""

    auto = "auto"
    table = "table"
    trec = "trec"
    tsv = "tsv"
    json = "json"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"


class Test(enum.StrEnum):
    """Significance tests."""

    t = "t"
    wilcoxon = "wilcoxon"
    randomization = "randomization"
    tukey = "tukey"


class Correct(enum.StrEnum):
    """Corrections for several comparisons."""

    holm = "holm"
    bonferroni = "bonferroni"
    holm_sidak = "holm-sidak"
    benjamini_hochberg = "benjamini-hochberg"
    none = "none"


class Flops(enum.StrEnum):
    """How arithmetic is counted."""

    exact = "exact"
    paper = "paper"


class Compat(enum.StrEnum):
    """Older evaluators whose values can be asked for."""

    trec_eval9 = "trec_eval9"


COMPARING = "Which run is better"
ANALYSES = "Analyses"

Measures = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--measure",
        metavar="MEASURE",
        help="A measure, as nDCG@10, AP(rel=2), ndcg_cut_10 or mrr@10; may be repeated. "
        "Default: nDCG@10, AP, R@100, RR@10, P@10.",
    ),
]
Rel = Annotated[
    int | None,
    typer.Option(
        "--rel", metavar="N", help="The least relevant grade, for binary measures that name none. Default: 1."
    ),
]
Depth = Annotated[
    int | None,
    typer.Option("--depth", metavar="N", min=1, help="Look at the first N documents of each list only."),
]
JudgedOnly = Annotated[
    bool,
    typer.Option("--judged-only", help="Leave documents that nobody judged out of the lists (behind --depth)."),
]
Intersection = Annotated[
    bool,
    typer.Option(
        "--intersection",
        help="Only the judged topics that all runs have, as trec_eval without -c; else they count as 0.",
    ),
]
PerQuery = Annotated[bool, typer.Option("--per-query", help="The values of each query too, before `all`.")]
FormatAs = Annotated[
    Format,
    typer.Option(
        "--format",
        help="How values are written; auto: a table on a terminal, else trec for one run and tsv for several.",
    ),
]
Digits = Annotated[int, typer.Option("--digits", metavar="N", min=0, max=15, help="Decimals.")]
Assertions = Annotated[
    list[str] | None,
    typer.Option(
        "--assert",
        metavar="COMPARISON",
        help="Exit 6 unless every run satisfies it: 'nDCG@10>=0.30', 'AP>=baseline-0.005' (>= > <= < ==); "
        "may be repeated.",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="RUN",
        help="The run that differences and assertions refer to.",
        rich_help_panel=COMPARING,
    ),
]
Compare = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Differences with intervals, wins/ties/losses, effect sizes and p-values: of every run to --baseline, "
        "or of all pairs without one.",
        rich_help_panel=COMPARING,
    ),
]
TestName = Annotated[
    Test | None,
    typer.Option(
        "--test",
        help="Test of --compare, two-sided and paired by query; tukey looks at all runs together. Default: t.",
        show_default=False,
        rich_help_panel=COMPARING,
    ),
]
CorrectBy = Annotated[
    Correct | None,
    typer.Option(
        "--correct",
        help="Correction of --compare for the comparisons of a measure. Default: holm; none for tukey, "
        "which holds for all pairs by itself.",
        show_default=False,
        rich_help_panel=COMPARING,
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        metavar="X",
        help="A corrected p below it is significant; intervals are at 1 - X. Default: 0.05.",
        show_default=False,
        rich_help_panel=COMPARING,
    ),
]
Eps = Annotated[
    float | None,
    typer.Option(
        "--eps",
        metavar="X",
        min=0,
        help="Topics that differ by no more are ties in wins/ties/losses of --compare. Default: 0.",
        show_default=False,
        rich_help_panel=COMPARING,
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="A picture too, FILE.svg or FILE.png, - for one of text: the means of runs with intervals, with --baseline "
        "the differences query by query, with --depth-curve the curve.",
        rich_help_panel=COMPARING,
    ),
]
DepthCurve = Annotated[
    str | None,
    typer.Option(
        "--depth-curve",
        metavar="K1,K2...",
        help="Effectiveness of the runs had only the first K documents of --base been reranked, for each K.",
        rich_help_panel=ANALYSES,
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="RUN", help="The run that was reranked, for --depth-curve.", rich_help_panel=ANALYSES
    ),
]
Phantoms = Annotated[
    bool,
    typer.Option(
        "--phantoms",
        help="With --depth-curve: count the documents among the first ten that are not relevant, were not there in --base "
        "and share no word with the query. Needs the texts of a collection.",
        rich_help_panel=ANALYSES,
    ),
]
Separation = Annotated[
    bool,
    typer.Option(
        "--separation",
        help="The run and BM25 of its candidates, apart for the queries whose words mislead and the others; with "
        "--per-query the separation of each query. Needs the texts of a collection.",
        rich_help_panel=ANALYSES,
    ),
]
Shape = Annotated[
    str | None,
    typer.Option(
        "--shape",
        metavar="MODEL",
        help="What the ranking cost with this model, a name from rerank models, its folder, or its config.json: adds "
        "TFLOPs a query, queries (QPP) and measure (RPP) a PetaFLOP; needs --stats or --tokens.",
        rich_help_panel=ANALYSES,
    ),
]
Stats = Annotated[
    str | None,
    typer.Option(
        "--stats",
        metavar="FILE",
        help="For --shape: the calls and tokens that rerank rerank --stats counted for the run.",
        rich_help_panel=ANALYSES,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        metavar="IN[,OUT]",
        help="For --shape without --stats: the tokens of a call, query and document together, and those written "
        "(default 1: one position's logits are read).",
        rich_help_panel=ANALYSES,
    ),
]
Calls = Annotated[
    int | None,
    typer.Option(
        "--calls",
        metavar="N",
        min=1,
        help="For --tokens: calls of a query, as 9 for windows of 20 over 100 documents. Default: one for each document.",
        show_default=False,
        rich_help_panel=ANALYSES,
    ),
]
FlopsBy = Annotated[
    Flops,
    typer.Option(
        "--flops",
        help="How --shape is counted: every product once, or by the formula of the E2R-FLOPs paper.",
        rich_help_panel=ANALYSES,
    ),
]
CompatWith = Annotated[
    Compat | None,
    typer.Option(
        "--compat",
        help="Break ties as trec_eval 9 does, which kept scores as 32-bit floats: close scores are ties there.",
    ),
]
