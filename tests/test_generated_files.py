"""The committed man pages and completion scripts are the ones this program writes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Runner

OUTDATED = "differs from what the program writes: run `make gen` and commit"


def same_as_committed(made: Path, committed: Path) -> None:
    fresh = {path.name: path.read_bytes() for path in made.iterdir()}
    kept = {path.name: path.read_bytes() for path in committed.iterdir()}
    assert sorted(fresh) == sorted(kept), f"{committed.name}/ {OUTDATED}"
    for name in fresh:
        assert fresh[name] == kept[name], f"{committed.name}/{name} {OUTDATED}"


def test_man_pages(rerank: Runner, tmp_path: Path) -> None:
    assert rerank("man", "--install", "--dir", "made").code == 0
    same_as_committed(tmp_path / "made", ROOT / "man")


def test_completions(rerank: Runner, tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert rerank("completions", shell, "--install", "--dir", "made").code == 0
    same_as_committed(tmp_path / "made", ROOT / "completions")


def test_methods_and_strategies() -> None:
    done = subprocess.run([sys.executable, "docs/write_methods.py"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == (ROOT / "docs" / "methods.md").read_bytes(), f"docs/methods.md {OUTDATED}"


def test_neither_terminal_nor_language_changes_them(rerank: Runner) -> None:
    plain = rerank("man", "man").out
    assert plain == rerank("man", "man", env={"COLUMNS": "40", "LC_ALL": "C", "TZ": "Asia/Tokyo"}).out


@pytest.mark.parametrize("page", sorted((ROOT / "man").glob("*.1")), ids=lambda path: path.name)
def test_a_page_is_clean_roff(page: Path) -> None:
    """mandoc's lint has nothing to say but that there is no date, groff's warnings are silent."""
    checked = 0
    if shutil.which("mandoc"):
        done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", str(page)], capture_output=True, text=True, check=False)
        # An installed mandoc also looks for the pages that SEE ALSO names.
        said = [
            line for line in done.stdout.splitlines() if "missing date" not in line and "referenced manual" not in line
        ]
        assert not said
        checked += 1
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8", "-z", str(page)], capture_output=True, text=True, check=False
        )
        assert not done.stderr
        checked += 1
    if not checked:
        pytest.skip("neither mandoc nor groff is installed")


def test_man_reads_a_page_back(tmp_path: Path) -> None:
    """What `man` shows are the characters that were meant: hyphens to paste, quotes, a leading dot."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    from rerank_cli.cli.manpage import roff
    from rerank_cli.cli.manual import ROMAN, Page, Paragraph, Verbatim

    line = r""".rerank -m 'a\b' --x "~/f" `y` ^z --nDCG@10>=0.3 %c"""
    page = Page(
        "rerank", "rerank 1", (("NAME", (Paragraph(((ROMAN, "rerank - é"),)),)), ("EXAMPLES", (Verbatim(line),)))
    )
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou"], input=roff(page).encode(), capture_output=True, check=True
    )
    shown = done.stdout.decode()
    assert line in shown
    assert "rerank - é" in shown or "rerank ‐ é" in shown or "rerank − é" in shown
