"""The program's commands, in the order that help shows them.

A command is a file of this room: its function takes a `Terminal` and its own options, its docstring
is its help, `EXAMPLES` its tested examples. Heavy imports stay inside the function: every `rerank`
process imports every command file.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Annotated, Any

import typer

import rerank_cli
from rerank_cli.cli.help import HelpfulCommand
from rerank_cli.cli.options import with_terminal
from rerank_cli.errors import WrongUsage

#: Module of this room -> name on the command line.
COMMANDS = {
    "retrieve": "retrieve",
    "rerank": "rerank",
    "select": "select",
    "fuse": "fuse",
    "rewrite": "rewrite",
    "expand": "expand",
    "eval": "eval",
    "diff": "diff",
    "check": "check",
    "merge": "merge",
    "export_onnx": "export-onnx",
    "index": "index",
    "models": "models",
    "bench": "bench",
    "doctor": "doctor",
    "config": "config",
    "cache": "cache",
    "man": "man",
    "completions": "completions",
}


class Command(HelpfulCommand):
    """A command that refuses a value that looks like an option (`-o --depth`), and a number that is none or has no end."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            if parameter.param_type_name != "option":
                continue
            given = ctx.params.get(parameter.name)
            option = max(parameter.opts, key=len)
            for value in given if isinstance(given, (list, tuple)) else [given]:
                if isinstance(value, float) and not math.isfinite(value):
                    raise WrongUsage(f"{option} {value}: a finite number is wanted", _see(ctx))
                if (
                    isinstance(value, str)
                    and len(value) > 1
                    and value.startswith("-")
                    and not _is_number(value.split(",")[0])
                ):
                    raise WrongUsage(
                        f"{option} needs a value, but was given {value!r}, which looks like an option",
                        _see(ctx),
                    )
        return rest


def _see(ctx: Any) -> str:
    return f"see rerank {ctx.info_name} --help"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"rerank {rerank_cli.__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Rerank TREC runs: rerank retrieve | rerank rerank -m monot5 | rerank eval."""


def build_app(typed: str = "") -> typer.Typer:
    """The typer application with every command; with the one that is `typed` alone when it is a command's name.

    Reading the options of all of them takes a tenth of a second, which a command that runs need not wait for.
    """
    app = typer.Typer(
        name="rerank",
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module_name, command_name in COMMANDS.items():
        if command_name != typed and typed in COMMANDS.values():
            continue
        module = import_module(f"rerank_cli.cli.{module_name}")
        app.command(command_name, cls=Command)(with_terminal(getattr(module, module_name)))
    return app
