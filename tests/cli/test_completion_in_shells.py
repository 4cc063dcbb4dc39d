"""The completion scripts in the shells they are for: what is offered at TAB, and that nothing is started for it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Runner
from waiting import PATIENCE

Complete = Callable[[str], list[str]]

_BASH = r"""
source "$1"
shopt -q extglob
COMP_LINE=$2 COMP_POINT=${#2}
# What bash itself would pass: the line split at blanks and, apart, at its word breaks.
read -ra COMP_WORDS <<<"${2//[@=:]/ & }"
[[ $2 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
PATH=/nonexistent
_rerank rerank "${COMP_WORDS[COMP_CWORD]}" ''
printf '%s\n' "${COMPREPLY[@]}"
"""


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


def script(rerank: Runner, shell: str, folder: Path) -> Path:
    path = folder / f"script.{shell}"
    path.write_bytes(rerank("completions", shell).out)
    return path


@pytest.fixture
def bash(rerank: Runner, tmp_path: Path) -> Complete:
    program = need("bash")
    source = script(rerank, "bash", tmp_path)

    def complete(line: str) -> list[str]:
        done = subprocess.run(
            [program, "--norc", "-c", _BASH, "test", str(source), line],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr
        return [reply for reply in done.stdout.split("\n") if reply]

    return complete


@pytest.fixture
def fish(rerank: Runner, tmp_path: Path) -> Complete:
    program = need("fish")
    source = script(rerank, "fish", tmp_path)

    def complete(line: str) -> list[str]:
        done = subprocess.run(
            [program, "--no-config", "-c", f"source {source}; set PATH /nonexistent; complete -C '{line}'"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        assert not done.stderr
        return [reply.split("\t")[0] for reply in done.stdout.splitlines()]

    return complete


def zsh_types(source: Path, folder: Path, typed: str) -> str:
    """Type into a real zsh with a terminal and read what its line has become."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update(HOME=str(folder), TERM="dumb", PS1="", ZDOTDIR=str(folder))
        os.execvp("zsh", ["zsh", "-f", "-i"])
    shown = b""

    def read_until(mark: bytes) -> None:
        nonlocal shown
        end = time.monotonic() + PATIENCE
        while mark not in shown and time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                shown += os.read(terminal, 65536)

    try:
        # The widget writes the completed line to a file when Control-T is pressed.
        answer = folder / "line.txt"
        os.write(
            terminal,
            f"autoload -U compinit && compinit -u -D; source {source}; keep() {{ print -r -- $BUFFER > {answer}; BUFFER= }}; "
            "zle -N keep; bindkey '^T' keep; print re''ady\n".encode(),
        )
        read_until(b"ready")
        os.write(terminal, typed.encode() + b"\t\x14")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not (answer.exists() and answer.read_text()):
            if select.select([terminal], [], [], 0.05)[0]:
                shown += os.read(terminal, 65536)
        return answer.read_text().rstrip("\n") if answer.exists() else f"nothing came: {shown!r}"
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


CASES = [
    ("rerank conf", ["config"]),
    ("rerank completions ", ["bash", "zsh", "fish"]),
    ("rerank completions --inst", ["--install"]),
    ("rerank completions bash --progress b", ["bar"]),
    ("rerank config --seed ", []),
    ("rerank config co", ["collection"]),
    ("rerank man conf", ["config"]),
    ("rerank -q config co", ["collection"]),
    ("rerank eval -m nDCG@", ["nDCG@10", "nDCG@20", "nDCG@100"]),
    ("rerank eval --measure=R@2", ["R@20"]),
    ("rerank retrieve -c de", ["demo"]),
    ("rerank retrieve -c ir", ["irds:"]),
    ("rerank rerank --device cu", ["cuda"]),
    ("rerank rerank -m minilm-", ["minilm-blend", "minilm-knn", "minilm-rocchio"]),
]


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_offers(line: str, expected: list[str], bash: Complete) -> None:
    # readline replaces only what stands behind the last of its word breaks.
    word = line.rsplit(" ", 1)[1].split("=")[-1]
    kept = len(word) - len(word.rsplit("@", 1)[-1])
    assert sorted(bash(line)) == sorted(reply[kept:] for reply in expected)


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_offers(line: str, expected: list[str], fish: Complete) -> None:
    before = line.rsplit(" ", 1)[1].split("=")[0] + "=" if "=" in line else ""
    assert sorted(fish(line)) == sorted(before + reply for reply in expected)


def test_bash_completes_paths_beside_names(bash: Complete, tmp_path: Path) -> None:
    (tmp_path / "delphi").mkdir()
    (tmp_path / "desk.txt").touch()
    assert sorted(bash("rerank retrieve -c de")) == ["delphi", "demo"]


def test_fish_completes_paths_beside_names(fish: Complete, tmp_path: Path) -> None:
    (tmp_path / "delphi").mkdir()
    (tmp_path / "desk.txt").touch()
    assert sorted(fish("rerank retrieve -c de")) == ["delphi/", "demo"]
    assert "desk.txt" in fish("rerank eval de")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("rerank conf", "rerank config "),
        ("rerank completions ba", "rerank completions bash "),
        ("rerank completions bash --inst", "rerank completions bash --install "),
        ("rerank eval -m nDCG@2", "rerank eval -m nDCG@20 "),
        ("rerank eval --format=la", "rerank eval --format=latex "),
        ("rerank retrieve -c ir", "rerank retrieve -c irds:"),
        ("rerank retrieve | rerank fus", "rerank retrieve | rerank fuse "),
    ],
)
def test_zsh_completes(typed: str, line: str, rerank: Runner, tmp_path: Path) -> None:
    need("zsh")
    assert zsh_types(script(rerank, "zsh", tmp_path), tmp_path, typed) == line


def test_the_kind_of_every_value_is_known() -> None:
    """A new metavar says in completion/values.py what may stand for it, were it only "nothing can be offered"."""
    from rerank_cli.cli.app import build_app
    from rerank_cli.cli.completion import values
    from rerank_cli.cli.spec import read_program

    known = set(values.LISTED) | values.FILES | values.FOLDERS | values.FREE
    for command in read_program(build_app()).commands:
        for parameter in (*command.arguments, *(option for option in command.options if option.metavar)):
            if not parameter.choices:
                unknown = [kind for kind in values.kinds(parameter) if kind.isupper() and kind not in known]
                assert not unknown, f"rerank {command.name}: {parameter}"


def test_every_measure_offered_can_be_computed() -> None:
    import ir_measures

    from rerank_cli.cli.completion.values import MEASURES

    for name in MEASURES:
        measure = ir_measures.parse_measure(name)
        assert str(measure) == name
        assert ir_measures.DefaultPipeline.supports(measure)
