"""The command line as plain records: the one place that knows how typer keeps its options.

Help, man pages and completion scripts are three ways of writing the same records, so they cannot
disagree. Typer 0.28 carries its own copy of click, whose parameter objects are private parts: their
attributes are read here and nowhere else.
"""

from __future__ import annotations

import enum
import inspect
import sys
from dataclasses import dataclass
from typing import Any

import typer
from typer.main import get_command

from rerank_cli.cli.options import EVERYWHERE


@dataclass(frozen=True)
class ArgumentSpec:
    """A word of the command line that is no option: `name` is its metavar without brackets or dots."""

    name: str
    help: str
    default: str
    choices: tuple[str, ...]
    required: bool
    repeatable: bool

    @property
    def usage(self) -> str:
        """As the synopsis writes it: RUN, [RUN], RUN... or [RUN...]."""
        word = self.name + ("..." if self.repeatable else "")
        return word if self.required else f"[{word}]"


@dataclass(frozen=True)
class OptionSpec:
    """An option; `metavar` is empty for a flag, `off` holds the names that say no, `bounds` reads like `N >= 1`."""

    names: tuple[str, ...]
    off: tuple[str, ...]
    metavar: str
    help: str
    default: str
    choices: tuple[str, ...]
    bounds: str
    repeatable: bool
    required: bool
    group: str

    @property
    def remarks(self) -> str:
        """What help adds in brackets: default, range, whether it may be repeated."""
        said = self.help.casefold()
        parts = [
            "required" if self.required else "",
            f"default: {self.default}" if self.default else "",
            self.bounds,
            "may be repeated" if self.repeatable and "repeated" not in said else "",
        ]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class CommandSpec:
    """One command: `description` holds its paragraphs after the summary, `examples` (what it does, shell line)."""

    name: str
    summary: str
    description: tuple[str, ...]
    arguments: tuple[ArgumentSpec, ...]
    options: tuple[OptionSpec, ...]
    examples: tuple[tuple[str, str], ...]

    @property
    def usage(self) -> str:
        """The synopsis: `rerank NAME [OPTIONS] ARGUMENTS`."""
        return " ".join(["rerank", self.name, "[OPTIONS]", *(a.usage for a in self.arguments)])

    @property
    def groups(self) -> dict[str, list[OptionSpec]]:
        """Options by group: those without one first (key ""), those of every command last."""
        groups: dict[str, list[OptionSpec]] = {"": []}
        for option in self.options:
            groups.setdefault(option.group, []).append(option)
        groups[EVERYWHERE] = groups.pop(EVERYWHERE, [])
        return {name: options for name, options in groups.items() if options}


@dataclass(frozen=True)
class ProgramSpec:
    """The whole program: its own options and every command, in the order of help."""

    summary: str
    options: tuple[OptionSpec, ...]
    commands: tuple[CommandSpec, ...]


def read_program(app: typer.Typer) -> ProgramSpec:
    """Read every visible command of a typer application."""
    root = get_command(app)
    context = typer.Context(root, info_name="rerank", **root.context_settings)
    commands = [
        command_spec(command, typer.Context(command, info_name=name, parent=context))
        for name, command in root.commands.items()  # type: ignore[attr-defined]
        if not command.hidden
    ]
    return ProgramSpec(_paragraphs(root.help)[0], _options(root, context), tuple(commands))


def command_spec(command: Any, context: typer.Context) -> CommandSpec:
    """Read one command: its parameters, its docstring and the EXAMPLES of the module it lives in."""
    summary, *description = _paragraphs(command.help)
    module = sys.modules[command.callback.__module__]
    return CommandSpec(
        context.info_name or command.name,
        summary.rstrip("."),
        tuple(description),
        tuple(_argument(p, context) for p in command.params if p.param_type_name == "argument" and not p.hidden),
        _options(command, context),
        tuple(getattr(module, "EXAMPLES", ())),
    )


def _paragraphs(docstring: str | None) -> list[str]:
    blocks = inspect.cleandoc(docstring or "").split("\n\n")
    return [block if block.startswith("\b") else " ".join(block.split()) for block in blocks]


def _argument(parameter: Any, context: typer.Context) -> ArgumentSpec:
    metavar = parameter.metavar or (parameter.name or "").upper()
    name = metavar.removesuffix("...").strip("[]").removesuffix("...")
    return ArgumentSpec(
        name,
        parameter.help or "",
        _default(parameter, context),
        _choices(parameter),
        bool(parameter.required),
        parameter.nargs != 1,
    )


def _options(command: Any, context: typer.Context) -> tuple[OptionSpec, ...]:
    return tuple(
        _option(parameter, context)
        for parameter in command.get_params(context)
        if parameter.param_type_name == "option" and not parameter.hidden
    )


def _option(parameter: Any, context: typer.Context) -> OptionSpec:
    is_help = "--help" in parameter.opts
    metavar = "" if parameter.is_flag or parameter.count else _metavar(parameter)
    return OptionSpec(
        tuple(sorted(parameter.opts, key=lambda name: name.startswith("--"))),
        tuple(parameter.secondary_opts),
        metavar,
        "Show this help and exit." if is_help else parameter.help or "",
        _default(parameter, context),
        _choices(parameter),
        _bounds(parameter, metavar),
        bool(parameter.multiple or parameter.count),
        bool(parameter.required),
        EVERYWHERE if is_help else parameter.rich_help_panel or "",
    )


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    choices = _choices(parameter)
    return "|".join(choices) if choices else {"int": "N", "float": "X", "integer": "N"}.get(parameter.type.name, "TEXT")


def _choices(parameter: Any) -> tuple[str, ...]:
    return tuple(str(_plain(choice)) for choice in getattr(parameter.type, "choices", ()))


def _default(parameter: Any, context: typer.Context) -> str:
    if not parameter.show_default:
        return ""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    value = parameter.get_default(context, call=False)
    if getattr(parameter, "is_flag", False):
        return "on" if value is True and parameter.secondary_opts else ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_plain(item)) for item in value)
    return "" if value is None or callable(value) else str(_plain(value))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _bounds(parameter: Any, metavar: str) -> str:
    low, high = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    above = "<" if getattr(parameter.type, "min_open", False) else "<="
    below = "<" if getattr(parameter.type, "max_open", False) else "<="
    if low is not None and high is not None:
        return f"{low} {above} {metavar} {below} {high}"
    if low is not None:
        return f"{metavar} {above.replace('<', '>')} {low}"
    return f"{metavar} {below} {high}" if high is not None else ""
