"""Prompt files: which there are, and what is said about one that cannot be used.

`prompts/NAME.toml` comes with the program; any file of the same form is a user's own. At its top level stand the fields of
`methods.words.prompt.PromptFile`; where the references of a checkpoint differ, `[versions.NAME]` tables hold what is different,
and `default` names the one that is meant (`NAME@VERSION` asks for another).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.inference.writing import Decoding
from rerank_cli.methods.words.prompt import CLEAN, CUTS, FIELD, LENGTHS, PromptFile, Turn

_FOLDER = Path(__file__).parent.with_name("prompts")
#: The fields that a text may have, and those of a passage or a repeated turn.
_OF_ALL = {"query", "num", "keep", "instruction", "labels", "passages"}
_OF_ONE = {"query", "num", "i", "text", "score"}
#: What a field of the file holds, where it is no text.
_KINDS = {
    **{"turns": list, "clean": list, "cut": dict, "decoding": dict},
    **{"most": int, "out_of": int, "shuffled": bool, "reasons": bool, "verified": bool},
}
_ROLES = ("system", "user", "assistant")


def prompt_names() -> list[str]:
    """The prompts that come with the program, each version by its full name, the default version first."""
    return [prompt.name for file in sorted(_FOLDER.glob("*.toml")) for prompt in _versions(file).values()]


def shipped_file(name: str) -> Path:
    """The file of a prompt that comes with the program, NAME or NAME@VERSION, for who wants to start from it."""
    return _FOLDER / f"{name.partition('@')[0]}.toml"


def load_prompt(
    name: str | Path, *, folder: Path = _FOLDER, shows: Sequence[str] = ("documents", "query")
) -> PromptFile:
    """The prompt NAME or NAME@VERSION that comes with the program (in `folder`), or one in a file, PATH or PATH@VERSION.

    `shows` is what it must tell the model: documents, query. Raises `Missing` for a name or a file that is not there, `BadData` with the file's name for one that says something wrong.
    """
    text = str(name)
    base, at, version = ("", "", "") if Path(text).is_file() else text.rpartition("@")
    base = base if at else text
    version = version if at else ""
    own = folder / f"{base}.toml"
    path = own if own.parent == folder and own.is_file() else Path(base)
    if not path.is_file():
        names = sorted(file.stem for file in folder.glob("*.toml"))
        close = difflib.get_close_matches(base, names, n=3, cutoff=0.5) or names
        raise Missing(
            f"no prompt is called {base!r}, and no file", f"there are {', '.join(close)}; or give a file of yours"
        )
    versions = _versions(path, folder, shows)
    if not version:
        return next(iter(versions.values()))
    if version not in versions:
        known = ", ".join(filter(None, versions)) or "none, it is one prompt"
        raise WrongUsage(f"{base} has no version {version!r}", f"its versions: {known}")
    return versions[version]


def _versions(
    path: Path, folder: Path = _FOLDER, shows: Sequence[str] = ("documents", "query")
) -> dict[str, PromptFile]:
    """Every version that the file holds, the default first; a file without versions has one, called nothing."""
    import tomllib

    name, where = (path.stem, path.name) if path.parent == folder else (str(path), str(path))
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        start = "a prompt file holds name = value lines; start from the prompt_file of rerank models rankgpt"
        raise BadData(f"not TOML: {error}", start, where=where) from error
    versions = table.pop("versions", {})
    default = table.pop("default", "")
    if not versions:
        return {"": _prompt(name, table, where, shows)}
    if not isinstance(versions, dict) or not isinstance(versions.get(default), dict):
        raise BadData(f"default = {default!r} is no table [versions.{default}]", where=where)
    order = sorted(versions, key=lambda version: version != default)
    return {one: _prompt(f"{name}@{one}", table | versions[one], where, shows) for one in order}


def _prompt(name: str, table: Mapping[str, Any], where: str, shows: Sequence[str]) -> PromptFile:
    known = {one.name: one for one in fields(PromptFile) if one.name != "name"}
    for key, value in table.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1) or sorted(known)
            raise BadData(f"unknown field {key!r}", f"did you mean {', '.join(close)}?", where=where)
        expected = _KINDS.get(key, str)
        if not isinstance(value, expected):
            raise BadData(f"{key} = {value!r} is not of the kind {expected.__name__}", where=where)
    values = dict(table) | {"clean": tuple(table.get("clean", ()))}
    values["turns"] = tuple(_turn(turn, where) for turn in table.get("turns", ()))
    if "parser" not in values:
        raise BadData("says no parser", "parser = NAME tells how the reply is read", where=where)
    prompt = PromptFile(name=name, **values)
    _checked(prompt, where, shows)
    return prompt


def _turn(turn: Any, where: str) -> Turn:
    if not isinstance(turn, dict) or not {"role", "content"} <= set(turn) <= set(Turn._fields):
        raise BadData(f"a turn has role, content and perhaps each, not {turn!r}", where=where)
    if turn["role"] not in _ROLES:
        raise BadData(f"role = {turn['role']!r}", f"a role is one of {', '.join(_ROLES)}", where=where)
    return Turn(**turn)


def _checked(prompt: PromptFile, where: str, shows: Sequence[str]) -> None:
    """Raise `BadData` for what cannot be rendered or read."""
    if bool(prompt.turns) == bool(prompt.text):
        raise BadData("needs turns or a text, and not both", where=where)
    once = [turn.content for turn in prompt.turns if not turn.each] + [prompt.text]
    each = [turn.content for turn in prompt.turns if turn.each] + [prompt.passage]
    # A prompt that asks for texts, not for an order, may say how many.
    of_all = _OF_ALL if len(shows) == 2 else _OF_ALL | {"wanted"}
    for texts, allowed in (([*once, prompt.prefill], of_all), (each, _OF_ONE), ([prompt.label], {"i"})):
        for found in (name for text in texts for name in FIELD.findall(text)):
            if found not in allowed:
                raise BadData(
                    f"unknown field {{{found}}}",
                    f"here one may write {', '.join(sorted(f'{{{one}}}' for one in allowed))}",
                    where=where,
                )
    repeated = any("{text}" in turn.content for turn in prompt.turns if turn.each)
    if (
        "documents" in shows
        and not repeated
        and not ("{text}" in prompt.passage and any("{passages}" in text for text in once))
    ):
        raise BadData(
            "has no passage turn", "a turn with each = true, or passage and {passages}, must hold {text}", where=where
        )
    if "query" in shows and not any("{query}" in text for text in once + each):
        raise BadData("says {query} nowhere", where=where)
    wrong = [name for name in prompt.clean if name not in CLEAN] + [name for name in prompt.cut if name not in CUTS]
    wrong += [name for name in prompt.decoding if name not in Decoding._fields]
    wrong += [prompt.labels] if prompt.labels not in ("numbers", "letters") else []
    wrong += [" and ".join(prompt.cut)] if len(prompt.cut) > 1 else []
    if wrong:
        raise BadData(f"{wrong[0]} is no way to clean, cut, decode or label", where=where)
    for name, number in [
        *prompt.cut.items(),
        ("max_tokens", prompt.decoding.get("max_tokens", 1)),
        ("out_of", prompt.out_of),
    ]:
        if (not isinstance(number, int) or number < 1) and not (name == "max_tokens" and number in LENGTHS):
            raise BadData(f"{name} = {number!r} is no number above 0", where=where)
