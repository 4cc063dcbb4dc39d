"""`rerank man` and `rerank completions`: what is printed, where it is installed, what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Runner

from rerank_cli.cli.app import COMMANDS


def test_man_in_a_pipe_is_roff(rerank: Runner) -> None:
    done = rerank("man", "config")
    assert done.code == 0
    assert '.TH RERANK\\-CONFIG 1 "" "rerank ' in done.text
    assert "rerank\\-config \\- show each setting" in done.text


def test_man_alone_is_the_page_of_the_program_and_names_every_command(rerank: Runner) -> None:
    page = rerank("man", "--format", "text").text
    assert page.startswith("RERANK(1)")
    assert all(f"rerank-{name}(1)" in page for name in COMMANDS.values())


def test_the_page_of_the_command_called_rerank(rerank: Runner) -> None:
    assert rerank("man", "rerank", "--format", "text").text.startswith("RERANK-RERANK(1)")


def test_text_lines_fit_a_terminal(rerank: Runner) -> None:
    for name in COMMANDS.values():
        prose = rerank("man", name, "--format", "text").text.split("\nEXAMPLES")[0]
        long = [line for line in prose.splitlines() if len(line) > 80 and "|" not in line]
        assert not long


def test_man_of_nothing_we_have(rerank: Runner) -> None:
    done = rerank("man", "nothing")
    assert (done.code, done.out) == (2, b"")
    assert "there is no command 'nothing'" in done.err
    assert "hint: the commands are" in done.err


def test_man_installs_where_man_looks(rerank: Runner, tmp_path: Path) -> None:
    done = rerank("man", "--install", env={"XDG_DATA_HOME": str(tmp_path / "share")})
    assert done.code == 0
    pages = {path.name for path in (tmp_path / "share/man/man1").iterdir()}
    assert pages == {"rerank.1"} | {f"rerank-{name}.1" for name in COMMANDS.values()}
    if shutil.which("man") and shutil.which("groff"):
        shown = subprocess.run(
            ["man", "-M", str(tmp_path / "share/man"), "rerank-config"],
            env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "RERANK_COLLECTION=demo rerank config" in shown.stdout


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "data/bash-completion/completions/rerank"),
        ("zsh", "data/zsh/site-functions/_rerank"),
        ("fish", "config/fish/completions/rerank.fish"),
    ],
)
def test_completions_install_where_the_shell_looks(shell: str, place: str, rerank: Runner, tmp_path: Path) -> None:
    homes = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = rerank("completions", shell, "--install", env=homes)
    assert (done.code, done.out) == (0, b"")
    assert (tmp_path / place).read_bytes() == rerank("completions", shell).out
    assert str(tmp_path / place) in done.err
    assert ("fpath" in done.err) == (shell == "zsh")


def test_dir_without_install_is_refused(rerank: Runner) -> None:
    for line in ("man --dir x", "completions bash --dir x"):
        done = rerank(*line.split())
        assert done.code == 2
        assert "hint: add --install" in done.err


def test_a_folder_that_cannot_be_written(rerank: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = rerank("man", "--install", "--dir", "file/man1")
    assert done.code == 1
    assert "file/man1" in done.err


def test_an_unknown_shell_is_refused_with_those_there_are(rerank: Runner) -> None:
    done = rerank("completions", "tcsh")
    assert done.code == 2
    assert "tcsh" in done.err
    assert "fish" in done.err
