"""The user's own folders, and how a page or a completion script gets there: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from rerank_cli.errors import WorkFailed


def data_home() -> Path:
    """`$XDG_DATA_HOME`, else ~/.local/share."""
    return _folder("XDG_DATA_HOME", ".local/share")


def config_home() -> Path:
    """`$XDG_CONFIG_HOME`, else ~/.config."""
    return _folder("XDG_CONFIG_HOME", ".config")


def _folder(variable: str, beneath_home: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / beneath_home)


def install_text(path: Path, text: str) -> None:
    """Write a file of this program's making, with the folders above it; raises `WorkFailed` where that is not allowed."""
    from rerank_cli.formats.output import open_output

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_output(str(path)) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise WorkFailed(
            f"cannot write {path}: {error.strerror or error}", "name a folder that you may write with --dir"
        ) from error
