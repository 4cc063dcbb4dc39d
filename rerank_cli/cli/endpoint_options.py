"""The options that say which servers answer, how they are asked and what they may cost."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

SERVERS = "Servers"


class Interface(enum.StrEnum):
    """How a server is asked."""

    auto = "auto"
    chat = "chat"
    completions = "completions"
    rerank = "rerank"
    score = "score"


Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL[,URL]",
        rich_help_panel=SERVERS,
        help="Let these servers answer, with or without /v1 at the end; -m still names the method and its prompt.",
    ),
]
ServedModel = Annotated[
    str | None,
    typer.Option(
        "--served-model",
        metavar="NAME",
        rich_help_panel=SERVERS,
        help="The model to ask there; default: the only one that they list.",
    ),
]
Api = Annotated[
    Interface,
    typer.Option(
        "--api",
        rich_help_panel=SERVERS,
        help="How they are asked; auto: in the words of the method, else as the rerank server that they are.",
    ),
]
Concurrency = Annotated[
    int,
    typer.Option(
        "--concurrency", metavar="N", min=1, rich_help_panel=SERVERS, help="Requests at a time, at each server."
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="X",
        min=0.001,
        rich_help_panel=SERVERS,
        help="Seconds until a request counts as lost and is sent again.",
    ),
]
HedgeDelay = Annotated[
    float | None,
    typer.Option(
        "--hedge-delay",
        metavar="SECONDS",
        min=0.001,
        rich_help_panel=SERVERS,
        help="Send a request that takes longer to a second, idle server too; the first answer counts. Default: never.",
    ),
]
ApiKeyEnv = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        metavar="NAME",
        rich_help_panel=SERVERS,
        help="The environment variable that holds the servers' key; the key itself is never an option.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="X",
        min=0.0,
        rich_help_panel=SERVERS,
        help="Ask no more when this much is spent, by --price; what was paid for is kept.",
    ),
]
Price = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        rich_help_panel=SERVERS,
        help="What a million tokens cost, read and written: 0.15,0.60.",
    ),
]
