"""`--help`: the records of `cli.spec` as a screenful, options under the headings of their groups.

Written without rich, whose import alone takes longer than the rest of the help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from rerank_cli.cli.spec import ArgumentSpec, OptionSpec


class HelpfulCommand(TyperCommand):
    """A command whose usage line and options are those of its `CommandSpec`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        from rerank_cli.cli.spec import command_spec

        return ["[OPTIONS]", *(argument.usage for argument in command_spec(self, ctx).arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        from rerank_cli.cli.spec import command_spec

        spec = command_spec(self, ctx)
        if spec.arguments:
            with formatter.section("Arguments"):
                formatter.write_dl([_argument_row(argument) for argument in spec.arguments])
        for group, options in spec.groups.items():
            with formatter.section(group or "Options"):
                formatter.write_dl([_option_row(option) for option in options])


def _argument_row(argument: ArgumentSpec) -> tuple[str, str]:
    default = f"  [default: {argument.default}]" if argument.default else ""
    return argument.usage, argument.help + default


def _option_row(option: OptionSpec) -> tuple[str, str]:
    names = ", ".join(option.names) + "".join(f" / {name}" for name in option.off)
    remarks = f"  [{option.remarks}]" if option.remarks else ""
    return f"{names} {option.metavar}".rstrip(), option.help + remarks
