"""The options of `rerank rewrite` and `rerank expand`, beside those of models and servers."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.cli.model_options import MODEL
from rerank_cli.cli.strategy_options import LIMITS


class Way(enum.StrEnum):
    """What becomes of a query."""

    rewrite = "rewrite"
    decompose = "decompose"
    hyde = "hyde"
    aspects = "aspects"
    keywords = "keywords"
    filters = "filters"


class TopicFormat(enum.StrEnum):
    """What the lines of written topics look like."""

    auto = "auto"
    tsv = "tsv"
    jsonl = "jsonl"


Writes = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL",
        rich_help_panel=MODEL,
        help="A model that writes, run here: a folder, a Hugging Face id (ID@REVISION) or a name from 'rerank models'.",
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="FILE",
        rich_help_panel=MODEL,
        help="Ask in the words of this prompt file, read and decoded as it says.",
    ),
]
Instruction = Annotated[
    str | None,
    typer.Option(
        "--instruction",
        metavar="TEXT",
        rich_help_panel=MODEL,
        help="What stands for {instruction} in the prompt; for hyde what is to be written ('a news article').",
    ),
]
How = Annotated[Way, typer.Option("--how", help="What becomes of a query; see above.")]
Texts = Annotated[
    int | None,
    typer.Option(
        "-n",
        metavar="N",
        min=1,
        show_default=False,
        help="At most N texts a query. Default: 8 for hyde, 5 for decompose and aspects, else 1.",
    ),
]
Queries = Annotated[
    int | None,
    typer.Option(
        "-n",
        metavar="N",
        min=1,
        show_default=False,
        help="Append N queries to a document. Default: 40 of a doc2query-T5, 10 of any other model.",
    ),
]
Joined = Annotated[bool, typer.Option("--join", help="Write one topic a query: the query and all its texts.")]
KeepQuery = Annotated[bool, typer.Option("--keep-query", help="Write the query itself too, as QID#0.")]
FieldNames = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="FIELDS",
        help="The fields that filters may be about: year,venue. Default: any that the model names.",
    ),
]
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="RUN", help="Show the model the first documents of this run; for --how rewrite."),
]
ContextDepth = Annotated[
    int, typer.Option("--context-depth", metavar="N", min=1, help="How many documents of --context are shown.")
]
OutputAs = Annotated[
    TopicFormat, typer.Option("--output-format", help="What the written lines look like; auto: tsv, jsonl for filters.")
]
InField = Annotated[
    str | None,
    typer.Option("--field", metavar="NAME", help="Put the queries into this field instead of after the text."),
]
MaxCalls = Annotated[
    int | None,
    typer.Option("--max-calls", metavar="N", min=0, rich_help_panel=LIMITS, help="Ask the model N times in all."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would cost (calls, tokens); ask nothing and need no model.")
]
