"""The options that only `fuse` has, under the headings of its help."""

from __future__ import annotations

import enum
from typing import Annotated

import typer


class Norm(enum.StrEnum):
    """How the scores of a list are normalised before they meet those of another."""

    none = "none"
    min_max = "min-max"
    min_max_inverted = "min-max-inverted"
    max = "max"
    sum = "sum"
    z_score = "z-score"
    dbsf = "dbsf"
    l2 = "l2"
    sigmoid = "sigmoid"
    rank = "rank"
    borda = "borda"
    tmm = "tmm"


RULE = "The rule and what it is told"
TUNING = "Tuning"

Method = Annotated[
    str | None,
    typer.Option("-m", "--method", metavar="RULE", rich_help_panel=RULE, help="The rule; see --list. Default: rrf."),
]
NormBy = Annotated[
    Norm | None,
    typer.Option(
        "--norm",
        rich_help_panel=RULE,
        show_default=False,
        help="Normalise the scores of each list first; see --list. Default: none; for the rule cc, tmm; for segfuse, min-max.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "-w", "--weights", metavar="W1,W2,...", rich_help_panel=RULE, help="One weight a run. Default: 1 for each."
    ),
]
RrfK = Annotated[
    str | None,
    typer.Option(
        "--rrf-k",
        metavar="K[,K2,...]",
        rich_help_panel=RULE,
        help="The constant of rrf, for all runs or one for each. Default: 60.",
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--param", metavar="NAME=VALUE", rich_help_panel=RULE, help="A parameter of the rule, as phi=0.9."
    ),
]
Floor = Annotated[
    str,
    typer.Option(
        "--floor",
        metavar="F[,F2,...]",
        rich_help_panel=RULE,
        help="For --norm tmm: the lowest score a run's scorer can give (0 for BM25, -1 for a cosine).",
    ),
]
Tune = Annotated[
    str | None,
    typer.Option(
        "--tune",
        metavar="MEASURE",
        rich_help_panel=TUNING,
        help="Choose weights and parameters, and train trained rules, by this measure (nDCG@10) in cross-validation.",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="N",
        min=2,
        rich_help_panel=TUNING,
        show_default=False,
        help="How many folds; as many as judged queries leave one out at a time. Default: 5.",
    ),
]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUES",
        rich_help_panel=TUNING,
        help="What tuning tries for a parameter, k=10,60,200 or k=10:100:10 (from, to, step); lists parted by / are "
        "for each run its own, all combinations of them being tried. May be repeated.",
    ),
]
ParamsOut = Annotated[
    str | None,
    typer.Option(
        "--params-out",
        metavar="FILE",
        rich_help_panel=TUNING,
        help="Write the rule and what it is told, with --tune what is fitted on all judged queries, as JSON.",
    ),
]
ParamsFile = Annotated[
    str | None,
    typer.Option("--params", metavar="FILE", rich_help_panel=TUNING, help="Fuse as such a file says."),
]
Depth = Annotated[int, typer.Option("--depth", metavar="N", min=1, help="Read the first N documents of each list.")]
Keep = Annotated[int, typer.Option("-k", metavar="N", min=1, help="Write at most N documents a query.")]
ByParent = Annotated[
    bool,
    typer.Option(
        "--by-parent",
        help="Fuse the lists of sub-queries (PARENT#1, PARENT#2, ...) into one for each parent; one RUN is enough.",
    ),
]
Separator = Annotated[
    str, typer.Option("--separator", metavar="TEXT", help="What parts a parent from the number, for --by-parent.")
]
ShowList = Annotated[
    bool,
    typer.Option(
        "--list",
        help="List the rules: what each looks at, needs and computes, when to use it, its paper; and the norms.",
    ),
]
