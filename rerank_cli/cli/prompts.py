"""`--prompt` for a model whose prompt is one text with {query} and {document}: the file takes the checkpoint's template's place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rerank_cli.errors import BadData, Missing, WrongUsage

if TYPE_CHECKING:
    from rerank_cli.methods import LoadedScorer
    from rerank_cli.methods.checkpoint import Checkpoint

_FIELD = re.compile(r"\{(?:query|document|instruction|\|)\}")


def with_template(checkpoint: Checkpoint, path: str | None) -> Checkpoint:
    """The checkpoint asked by the text in a file; raises what `read_template` does."""
    from dataclasses import replace

    return checkpoint if path is None else replace(checkpoint, template=read_template(path, checkpoint.name))


def read_template(path: str, name: str) -> str:
    """The prompt in a file, for the model `name`; raises `Missing`, `BadData` or `WrongUsage` for one that cannot be used."""
    from pathlib import Path

    if Path(path).is_dir():
        raise WrongUsage(f"--prompt {path} is a folder, not a file", "name a file in it")
    if not Path(path).exists():
        raise Missing(f"--prompt {path}: no such file", f"{name} reads one text with {{query}} and {{document}}")
    try:
        text = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise BadData("not valid UTF-8", "convert it, e.g. with iconv", where=path) from error
    for field in ("{query}", "{document}"):
        if text.count(field) != 1:
            raise BadData(
                f"a prompt has {field} once, and this has it {text.count(field)} times",
                "{query} and {document} are where the two texts stand",
                where=path,
            )
    return text


def check_template(scorer: LoadedScorer, checkpoint: Checkpoint, path: str | None) -> None:
    """Raise `WrongUsage` when the model does not read the template that it was given."""
    if path is None:
        return
    said = scorer.description.template
    if not all(part in said for part in _FIELD.split(checkpoint.template or "")):
        raise WrongUsage(f"--prompt {path}: {checkpoint.name} is not asked in a prompt", "leave --prompt out")
