"""`rerank models`: the checkpoints that have a name, and what is known of one."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rerank_cli.cli.tables import write_rows
from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.methods.catalog import Checkpoint

EXAMPLES = [
    ("All names, one a line, with method, score and source", "rerank models"),
    ("What is known of one", "rerank models minilm"),
    ("The names of all cross-encoders", "rerank models | awk -F '\\t' '$2 == \"cross-encoder\" {print $1}'"),
]


class ListFormat(enum.StrEnum):
    """How the list is written."""

    auto = "auto"
    table = "table"
    tsv = "tsv"
    json = "json"


def models(
    terminal: Terminal,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Show all that is known of this one: a name, an id, a folder."),
    ] = None,
    form: Annotated[
        ListFormat, typer.Option("--format", help="How it is written; auto: a table on a terminal, else tsv.")
    ] = ListFormat.auto,
) -> None:
    """List the models that have a name, or show one.

    The list has four columns, separated by tabs: NAME, METHOD, SCORE (the scale of the raw scores) and
    SOURCE. With MODEL, one fact a line: FACT, VALUE. A model needs no name: rerank -m also takes a
    Hugging Face id and a folder.
    """
    import json

    from rerank_cli.methods.catalog import find, known

    if form is ListFormat.json:
        data = _facts(find(name)) if name is not None else [_facts(checkpoint) for checkpoint in known()]
        typer.echo(json.dumps(data, ensure_ascii=False, indent=1))
        return
    header: tuple[str, ...] = ("fact", "value")
    rows: list[tuple[str, ...]]
    if name is not None:
        rows = [(key, _shown(value)) for key, value in _facts(find(name)).items()]
    else:
        header = ("name", "method", "score", "source")
        rows = [(c.name, c.method, c.score, c.source) for c in known()]
    write_rows(header, rows, as_table=None if form is ListFormat.auto else form is ListFormat.table)


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """What is known of a checkpoint, its method's paper and cost among it; unknown things are left out."""
    from dataclasses import asdict

    from rerank_cli.methods import method_named
    from rerank_cli.methods.words.prompt_files import shipped_file

    nothing: tuple[Any, ...] = (None, "", (), {})
    facts = {key: value for key, value in asdict(checkpoint).items() if value not in nothing and key != "extra"}
    words = shipped_file(checkpoint.prompt or checkpoint.method)
    if words.is_file():
        facts["prompt_file"] = str(words)
    if not checkpoint.instruction:
        facts.pop("instruction_as", None)
    if checkpoint.method:
        method = method_named(checkpoint.method).METHOD
        facts |= {"summary": method.summary, "paper": method.paper, "calls": method.calls, "when": method.when}
        if method.strategy:
            facts["strategy"] = checkpoint.strategy or method.strategy
            facts["settings"] = {**method.settings, **checkpoint.settings}
    if checkpoint.extra:
        facts["install"] = f"pip install 'rerank-cli[{checkpoint.extra}]'"
    return facts


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(f"{name}={one}" for name, one in value.items())
    text = " ".join(value) if isinstance(value, (tuple, list)) else str(value)
    return text.replace("\n", "\\n")
