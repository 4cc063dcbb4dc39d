"""`rerank config`: each setting, its value here, and where it came from."""

from __future__ import annotations

from typing import Annotated

import typer

from rerank_cli.cli.terminal import Terminal

EXAMPLES = [
    ("Which collection would a command use here, and why?", "rerank config collection"),
    ("Everything, with its origin", "RERANK_COLLECTION=demo rerank config"),
]


def config(
    terminal: Terminal,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Print only this setting's value.")] = None,
) -> None:
    """Show each setting, its value and where it came from.

    A setting comes from its flag, else from the run's header, else from the environment, else from the
    nearest rerank.toml upwards from the working directory, else from the user's config.toml, else it
    has its default. Prints KEY, VALUE and ORIGIN, separated by tabs.
    """
    from rerank_cli.cli.settings import KEYS, Settings
    from rerank_cli.errors import WrongUsage

    settings = Settings()
    if key is not None and key not in KEYS:
        raise WrongUsage(f"there is no setting {key!r}", f"the settings are {', '.join(KEYS)}")
    for name in KEYS:
        setting = settings.resolve(name)
        value = str(settings.cache_dir) if name == "cache_dir" else setting.value or ""
        if key is None:
            typer.echo(f"{name}\t{value}\t{setting.origin}")
        elif key == name:
            typer.echo(value)
    if key is None:
        for name, toml in sorted(settings.collections.items()):
            typer.echo(f"collections.{name}\t{toml.tables['collections'][name].get('docs', '')}\t{toml.path}")
