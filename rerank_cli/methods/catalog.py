"""The checkpoints rerank knows by name, and what to make of a name it does not know.

`models.toml` is data: adding a checkpoint is adding a table. A name is looked for as an alias there,
then as a folder, then as a Hugging Face id. Reading this file needs the standard library only, so that
`rerank models` and completions stay quick.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.methods.checkpoint import Checkpoint, looks_like_path

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def known() -> list[Checkpoint]:
    """All entries of `models.toml`, in the order of the file."""
    return list(_entries().values())


def find(name: str, *, method: str | None = None) -> Checkpoint:
    """The checkpoint that `name` means: an alias, a folder, or a Hugging Face id (`ID@REVISION`).

    `method` overrides what the entry or the files say. Nothing is downloaded: the method of an id that
    is not listed stays empty until `export.ensure_exported` or `methods.load_torch` has its files.
    Raises `Missing` for a name that is none of these, `BadData` for a folder that does not tell its
    method, `WrongUsage` for a name that is two things.
    """
    base, _, revision = name.partition("@")
    entry = None if "/" in base else _entries().get(base)  # no alias is a path: a folder need not wait for the list
    if entry is not None:
        if _holds_model(Path(name)):
            raise WrongUsage(
                f"{name} is a model's name and also a folder here",
                f"say ./{name} for the folder, or rename it to use the model",
            )
        return _overridden(replace(entry, revision=revision or entry.revision), method)
    path = Path(name).expanduser()
    if path.is_dir():
        return _of_folder(name, path, method)
    if not looks_like_path(name) and _HUB_ID.fullmatch(base):
        listed = [c for c in known() if c.source.lower() == base.lower() and method in (None, c.method)]
        # An id that several methods use does not tell which one is meant.
        checkpoint = replace(listed[0], name=name) if len(listed) == 1 else Checkpoint(name=name, source=base)
        return _overridden(replace(checkpoint, revision=revision or checkpoint.revision), method)
    raise _unknown(name, path)


def resolved(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """`checkpoint` with the method that its files in `folder` tell, when it has none yet."""
    if checkpoint.method:
        return checkpoint
    from rerank_cli.methods.detect import method_of

    return replace(checkpoint, method=method_of(folder, checkpoint.name))


def _of_folder(name: str, path: Path, method: str | None) -> Checkpoint:
    from rerank_cli.methods.detect import likeness, method_of
    from rerank_cli.methods.exported import RECORD, read_record

    source = str(path.resolve())
    if (path / RECORD).is_file():
        record = read_record(path)
        if method is not None and method != record.method:
            raise WrongUsage(
                f"{name} holds the graph of a {record.method}, not of a {method}",
                f"leave --method out, or export {record.source} again with --method {method}",
            )
        return Checkpoint(name=name, source=source, method=record.method, score=record.score)
    alike = likeness(path, [entry for entry in known() if method in (None, entry.method)])
    if alike is not None:
        return replace(alike, name=name, source=source, revision=None, tokenizer=None, extra="")
    return Checkpoint(name=name, source=source, method=method or method_of(path, name))


def _overridden(checkpoint: Checkpoint, method: str | None) -> Checkpoint:
    if method is None or method == checkpoint.method:
        return checkpoint
    return Checkpoint(
        name=checkpoint.name,
        source=checkpoint.source,
        method=method,
        revision=checkpoint.revision,
        tokenizer=checkpoint.tokenizer,
        licence=checkpoint.licence,
        extra=checkpoint.extra,
    )


def _unknown(name: str, path: Path) -> Missing:
    if looks_like_path(name) or path.exists():
        return Missing(f"{name}: no such folder", "a model on disk is a folder with config.json or rerank.json")
    close = difflib.get_close_matches(name.lower(), _entries(), n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}? " if close else ""
    return Missing(
        f"no model is called {name!r}",
        f"{hint}rerank models lists the names; a Hugging Face id has the form OWNER/NAME",
    )


def _holds_model(path: Path) -> bool:
    return any((path / file).is_file() for file in ("config.json", "rerank.json", "adapter_config.json"))


@functools.cache
def _entries() -> dict[str, Checkpoint]:
    import tomllib

    path = Path(__file__).with_name("models.toml")
    tables: Mapping[str, Mapping[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    entries = {}
    for name, table in tables.items():
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
        }
        try:
            entries[name] = Checkpoint(name=name, **values)
        except TypeError as error:
            raise BadData(f"[{name}]: {error}", where=str(path)) from error
    return entries
