"""Streams that a shell has closed (`<&-`, `>&-`): one line when they are needed, no harm when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Runner

FILES = r"printf '1 Q0 a 1 2 t\n' > run; printf '1 0 a 1\n' > qrels"


@pytest.mark.parametrize("line", ["eval -Q qrels <&-", "fuse - run <&-", "check <&-", "eval -Q qrels - <&-"])
def test_a_closed_stdin(line: str, shell: Runner) -> None:
    done = shell(f"{FILES}\nrerank {line}")
    assert (done.code, done.out, done.err) == (1, b"", "rerank: error: stdin or stdout is closed\n")


@pytest.mark.parametrize("line", ["eval -Q qrels run", "fuse run run", "check run", "config"])
def test_a_closed_stdout(line: str, shell: Runner) -> None:
    done = shell(f"{FILES}\nrerank {line} >&-")
    assert (done.code, done.out, done.err) == (1, b"", "rerank: error: stdin or stdout is closed\n")


def test_closed_streams_that_are_not_used_do_no_harm(tmp_path: Path, shell: Runner) -> None:
    done = shell(f"{FILES}\nrerank eval -Q qrels run -m RR -o out <&- >&- 2>&-")
    assert (done.code, (tmp_path / "out").read_text()) == (0, "RR\tall\t1.0000\n")
