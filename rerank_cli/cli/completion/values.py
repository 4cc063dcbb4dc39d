"""What may follow an option or stand as an argument: told by its choices, else by its metavar.

A metavar such as `bm25|MODEL` is both: lower-case parts are words, upper-case ones are kinds of value.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from rerank_cli.cli.settings import KEYS
from rerank_cli.cli.spec import ArgumentSpec, CommandSpec, OptionSpec, ProgramSpec

#: Measures that are offered; ir-measures knows more and other cut-offs, which the user may type.
# fmt: off
MEASURES = (
    "nDCG@10", "nDCG@20", "nDCG@100", "nDCG", "AP", "AP@100", "AP@1000", "RR", "RR@10", "RR@100",
    "P@1", "P@5", "P@10", "P@20", "P@100", "R@10", "R@20", "R@50", "R@100", "R@1000", "Rprec", "Bpref",
    "Success@1", "Success@5", "Success@10", "Judged@10", "SetP", "SetR", "SetF", "NumQ", "NumRel", "NumRet",
)
# fmt: on

COLLECTIONS = ("demo", "irds:")

#: Kinds of value that are names from a list: metavar -> list. The lists are those of `word_lists`.
LISTED = {
    "MODEL": "models",
    "MEASURE": "measures",
    "RULE": "rules",
    "C": "collections",
    "COMMAND": "commands",
    "KEY": "settings",
    "STRATEGY": "strategies",
    "AGGREGATION": "aggregations",
    "PROMPT": "prompts",
}
#: Kinds that are a path, alone or beside names.
FILES = {"FILE", "RUN", "MODEL", "TOPICS", "DOCS"}
FOLDERS = {"DIR", "C"}
#: Kinds that nothing can be offered for.
FREE = {
    "N",
    "X",
    "A",
    "TEXT",
    "TAG",
    "NAME",
    "FIELDS",
    "DEPTH",
    "K",
    "F",
    "W1",
    "K1",
    "IN",
    "NAME=VALUE",
    "NAME=VALUES",
    "COMPARISON",
    "CONDITIONS",
    "CHECK",
    "T",
    "TOKENS:STRIDE",
    "SIZE",
    "TIME",
    "SECONDS",
    "TITLE",
    "FIELD",
    "PERCENT",
    "URL",
    "ADDRESS",
    "G",
}


@dataclass(frozen=True)
class Values:
    """`words` to offer, names of `lists` to offer, and whether a path of this machine will do."""

    words: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    files: bool = False
    folders: bool = False

    def __bool__(self) -> bool:
        return bool(self.words or self.lists or self.files or self.folders)

    @property
    def paths(self) -> str:
        """Which paths: files, folders or nothing."""
        return "files" if self.files else "folders" if self.folders else "nothing"


def word_lists(program: ProgramSpec) -> dict[str, tuple[str, ...]]:
    """The long lists that several options draw on."""
    from rerank_cli.aggregation.rules import rules as aggregations
    from rerank_cli.fusion import all_rules
    from rerank_cli.methods.words.prompt_files import prompt_names
    from rerank_cli.strategies import strategies

    return {
        "commands": tuple(command.name for command in program.commands),
        "models": model_names(),
        "measures": MEASURES,
        "rules": tuple(all_rules()),
        "collections": COLLECTIONS,
        "settings": tuple(KEYS),
        "strategies": tuple(strategies()),
        "aggregations": tuple(aggregations()),
        "prompts": tuple(prompt_names()),
    }


def model_names() -> tuple[str, ...]:
    """The names in `methods/models.toml`, in its order."""
    catalogue = files("rerank_cli.methods") / "models.toml"
    tables: dict[str, Any] = tomllib.loads(catalogue.read_text(encoding="utf-8")) if catalogue.is_file() else {}
    return tuple(tables)


def values_of(parameter: OptionSpec | ArgumentSpec) -> Values:
    """What may stand where this parameter's value stands; empty where nothing can be offered."""
    if parameter.choices:
        return Values(words=parameter.choices)
    parts = kinds(parameter)
    return Values(
        tuple(part for part in parts if not part.isupper()),
        tuple(LISTED[part] for part in parts if part in LISTED),
        any(part in FILES for part in parts),
        any(part in FOLDERS for part in parts),
    )


def kinds(parameter: OptionSpec | ArgumentSpec) -> list[str]:
    """The parts of a parameter's metavar: `bm25|MODEL` has two; of a list such as `W1,W2,...` the first tells."""
    metavar = parameter.name if isinstance(parameter, ArgumentSpec) else parameter.metavar
    parts = re.split(r"[| ]", re.sub(r"\[[^]]*\]", "", metavar))
    return [part.split(",")[0] for part in parts if part]


def argument_values(command: CommandSpec) -> Values:
    """What may stand as any of a command's arguments: all of them together, since options may stand between."""
    found = [values_of(argument) for argument in command.arguments]
    return Values(
        tuple(dict.fromkeys(word for values in found for word in values.words)),
        tuple(dict.fromkeys(name for values in found for name in values.lists)),
        any(values.files for values in found),
        any(values.folders for values in found),
    )


def first_sentence(help_text: str) -> str:
    """What a shell shows beside an option: the help up to its first full stop or semicolon."""
    for end in (". ", "; "):
        help_text = help_text.split(end)[0]
    return help_text.rstrip(".")
