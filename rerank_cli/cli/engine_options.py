"""The options of `rerank retrieve --from`: which engine retrieves, and where it keeps what we want of a document."""

from __future__ import annotations

from typing import Annotated

import typer

ENGINES = "Other people's engines"

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL",
        rich_help_panel=ENGINES,
        help="Retrieve through an engine: elastic+http://HOST:PORT/INDEX, or opensearch+, vespa+, qdrant+; https as well.",
    ),
]
EngineFields = Annotated[
    str | None,
    typer.Option(
        "--engine-fields",
        metavar="TITLE,TEXT",
        rich_help_panel=ENGINES,
        help="Its fields that hold title and text, or text alone: searched by Elasticsearch and OpenSearch, carried by jsonl.",
    ),
]
EngineId = Annotated[
    str | None,
    typer.Option(
        "--engine-id",
        metavar="FIELD",
        rich_help_panel=ENGINES,
        help="Its field that holds the document's id; default: the engine's own id.",
    ),
]
RankProfile = Annotated[
    str | None,
    typer.Option(
        "--rank-profile",
        metavar="NAME",
        rich_help_panel=ENGINES,
        help="The profile that Vespa ranks by; default: the one of that name.",
    ),
]
VectorName = Annotated[
    str | None,
    typer.Option(
        "--vector-name",
        metavar="NAME",
        rich_help_panel=ENGINES,
        help="Which of a Qdrant collection's vectors is searched, where it has several with names.",
    ),
]
