"""Documents by id, indexed by processes that start together and by some that are killed."""

import gzip
import lzma
import signal
import subprocess
import sys

import pytest
from test_offsets import DOCUMENTS, cache, jsonl, silent
from waiting import PATIENCE

from rerank_cli.formats.offsets import open_corpus

__all__ = ["cache"]

#: Opens a corpus; what it says first it does with a line of stdin: a number is a signal that it sends itself.
OPEN = """
import os, signal, sys
from pathlib import Path
from rerank_cli.formats.offsets import open_corpus
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests in the background ignores it
def note(text):
    print(text, flush=True)
    if told := sys.stdin.readline().strip():
        os.kill(os.getpid(), int(told))
corpus = open_corpus([sys.argv[1]], Path(sys.argv[2]), note)
print(corpus.lookup([b"d299"])[0].title)
"""


def test_processes_that_start_together_build_once(tmp_path, cache):
    """Whoever is first builds when the others have said that they wait for it."""
    (tmp_path / "c.jsonl.xz").write_bytes(lzma.compress(jsonl(DOCUMENTS)))
    command = [sys.executable, "-c", OPEN, str(tmp_path / "c.jsonl.xz"), str(cache)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    first = sorted(process.stdout.readline().split()[0] for process in processes)
    assert first == ["making", "waiting", "waiting"]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=PATIENCE)[0] for process in processes] == ["title 299\n"] * 3


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_build_leaves_nothing_that_is_used(tmp_path, cache, by):
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(DOCUMENTS)))
    killed = subprocess.run(
        [sys.executable, "-c", OPEN, str(path), str(cache)], input=b"%d\n" % by, capture_output=True, timeout=PATIENCE
    )
    assert killed.returncode == -by
    if by == signal.SIGINT:
        assert not any(left.is_dir() for left in (cache / "texts").iterdir())
    assert open_corpus([str(path)], cache, silent).lookup([b"d299"]) == [DOCUMENTS[299]]
    assert sum(left.is_dir() for left in (cache / "texts").iterdir()) == 1
