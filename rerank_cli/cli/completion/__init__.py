"""Completion scripts: static text made from the records of `cli.spec`; pressing TAB starts no Python."""

from __future__ import annotations

from rerank_cli.cli.spec import ProgramSpec

#: What each shell's script is called, as committed and as `--install --dir` writes it.
FILE_NAMES = {"bash": "rerank.bash", "zsh": "_rerank", "fish": "rerank.fish"}


def script(program: ProgramSpec, shell: str) -> str:
    """The completion script for one of `FILE_NAMES`."""
    from rerank_cli.cli.completion import bash, fish, zsh

    return {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[shell](program)
