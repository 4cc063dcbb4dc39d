"""`rerank man`: the manual, written from the program itself, read here or put where `man` looks."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from rerank_cli.cli.terminal import Terminal

if TYPE_CHECKING:
    from rerank_cli.cli.manual import Page

EXAMPLES = [
    ("A page for printing", "rerank man config --format text > config.txt"),
    ("Put all pages where man looks, for good", "rerank man --install"),
    ("Pages for a package", "rerank man --install --dir share/man/man1"),
]


class PageFormat(enum.StrEnum):
    """What a page is written as."""

    auto = "auto"
    roff = "roff"
    text = "text"


def man(
    terminal: Terminal,
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="The command to read about; none: the program's own page.")
    ] = None,
    page_format: Annotated[
        PageFormat,
        typer.Option("--format", help="auto: opened with man on a terminal, else roff, as man -l - reads it."),
    ] = PageFormat.auto,
    install: Annotated[bool, typer.Option("--install", help="Write the page, or all pages, where man looks.")] = False,
    folder: Annotated[
        str | None,
        typer.Option("--dir", metavar="DIR", help="With --install: the folder; else $XDG_DATA_HOME/man/man1."),
    ] = None,
) -> None:
    """Show or install the manual.

    On a terminal the page opens with man, and as plain text where there is no man. In a pipe or a file it is
    roff. The pages are made from the program that runs, so they are always those of the installed version.
    """
    from rerank_cli.cli.app import build_app
    from rerank_cli.cli.manpage import plain_text, roff
    from rerank_cli.cli.manual import pages
    from rerank_cli.cli.spec import read_program
    from rerank_cli.errors import WrongUsage

    if folder is not None and not install:
        raise WrongUsage("--dir says where to install, but --install is not given", "add --install")
    manual = {page.name: page for page in pages(read_program(build_app()))}
    name = f"rerank-{command}" if command else "rerank"
    if name not in manual:
        commands = ", ".join(page.removeprefix("rerank-") for page in manual if page != "rerank")
        raise WrongUsage(f"there is no command {command!r}", f"the commands are {commands}")
    if install:
        _install([manual[name]] if command else list(manual.values()), folder, terminal)
    elif page_format is PageFormat.auto and typer.get_text_stream("stdout").isatty():
        _show(roff(manual[name]), plain_text(manual[name]), name)
    else:
        write = plain_text if page_format is PageFormat.text else roff
        typer.echo(write(manual[name]), nl=False)


def _show(roff_page: str, text_page: str, name: str) -> None:
    """Open a page with man, which brings its own pager; without man, print the plain text."""
    import shutil
    import subprocess
    import tempfile
    from pathlib import Path

    reader = shutil.which("man")
    if reader is None:
        typer.echo(text_page, nl=False)
        return
    with tempfile.TemporaryDirectory(prefix="rerank-man-") as folder:
        file = Path(folder) / f"{name}.1"
        file.write_text(roff_page, encoding="utf-8")
        # A name with a slash is a file for every man there is; -l is not known to all of them.
        subprocess.run([reader, str(file)], check=False)


def _install(manual: list[Page], folder: str | None, terminal: Terminal) -> None:
    from pathlib import Path

    from rerank_cli.cli.install import data_home, install_text
    from rerank_cli.cli.manpage import roff

    target = Path(folder) if folder is not None else data_home() / "man" / "man1"
    for page in manual:
        install_text(target / f"{page.name}.1", roff(page))
    terminal.note(f"wrote {len(manual)} page{'s' if len(manual) > 1 else ''} to {target}")
    if folder is None:
        terminal.note(f'if man does not find them: export MANPATH="{target.parent}:"')
