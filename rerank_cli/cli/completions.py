"""`rerank completions`: completion scripts for bash, zsh and fish, printed or put where the shell looks."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from rerank_cli.cli.terminal import Terminal

EXAMPLES = [
    ("Complete rerank in bash, for good", "rerank completions bash --install"),
    ("In zsh", "rerank completions zsh --install"),
    ("The script itself", "rerank completions fish > rerank.fish"),
]


class Shell(enum.StrEnum):
    """A shell that there is a script for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def completions(
    terminal: Terminal,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    install: Annotated[bool, typer.Option("--install", help="Write the script where the shell looks for it.")] = False,
    folder: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="With --install: the folder; else the shell's own.")
    ] = None,
) -> None:
    """Print or install a completion script.

    The script completes commands, options, values, names of models and measures, and files. It is made from
    the program that runs and holds every name, so that pressing TAB starts nothing; after an update, install it again.

    --install writes to $XDG_DATA_HOME/bash-completion/completions (bash, with the bash-completion package),
    $XDG_DATA_HOME/zsh/site-functions (zsh) or $XDG_CONFIG_HOME/fish/completions (fish). Without the package, bash
    reads the script with eval "$(rerank completions bash)" in ~/.bashrc.
    """
    from pathlib import Path

    from rerank_cli.cli.app import build_app
    from rerank_cli.cli.completion import FILE_NAMES, script
    from rerank_cli.cli.install import config_home, data_home, install_text
    from rerank_cli.cli.spec import read_program
    from rerank_cli.errors import WrongUsage

    if folder is not None and not install:
        raise WrongUsage("--dir says where to install, but --install is not given", "add --install")
    text = script(read_program(build_app()), shell.value)
    if not install:
        typer.echo(text, nl=False)
        return
    places = {
        Shell.bash: (data_home() / "bash-completion" / "completions", "rerank"),
        Shell.zsh: (data_home() / "zsh" / "site-functions", "_rerank"),
        Shell.fish: (config_home() / "fish" / "completions", "rerank.fish"),
    }
    place, name = places[shell]
    target = (Path(folder) / FILE_NAMES[shell.value]) if folder is not None else place / name
    install_text(target, text)
    terminal.note(f"wrote {target}")
    if shell is Shell.zsh and folder is None:
        terminal.note(f'in ~/.zshrc, above compinit: fpath=("{place}" $fpath)')
