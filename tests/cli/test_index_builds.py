"""Builds that are cut short or come together: a full disk, a kill, a second process. The old index stays, nothing half-built."""

import os
import resource
import signal
import subprocess
import sys

import pytest
from waiting import PATIENCE

#: The program, killed when an index called mine is whole and has not got its name yet.
KILLED = """
import os, signal
from rerank_cli.cli.main import main

rename = os.rename

def last(aside, folder):
    if os.path.basename(folder) == "mine":
        os.kill(os.getpid(), signal.SIGKILL)
    rename(aside, folder)

os.rename = last
main()
"""
DOCUMENTS = "".join(f'{{"_id": "d{n}", "text": "ship {n} word{n % 97} and word{n % 89}"}}\n' for n in range(3000))


@pytest.fixture
def start(environment, tmp_path):
    """`start(*arguments, limit=bytes)`: the program as a process, with a cache of its own; no file of it grows beyond `limit`.

    `program` is what runs instead of it.
    """
    (tmp_path / "docs.jsonl").write_text(DOCUMENTS)
    (tmp_path / "topics.tsv").write_text("q1\tship\n")
    running = []

    def run(*arguments, limit=None, program=("-m", "rerank_cli")):
        def limited():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = subprocess.Popen(
            [sys.executable, "-P", *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**environment, "RERANK_CACHE_DIR": str(tmp_path / "cache")},
            preexec_fn=limited,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def finished(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def half_built(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(".") and path.is_dir()]


RETRIEVE = ("retrieve", "--docs", "docs.jsonl", "--topics", "topics.tsv", "-k", "3")


#: Bytes beyond which a file fails: the offsets of the corpus; the ids; what is merged; the postings.
@pytest.mark.parametrize("limit", [4_000, 13_000, 24_500, 40_000])
def test_a_full_disk_is_one_line_and_leaves_the_old_index(start, tmp_path, limit):
    old = finished(start(*RETRIEVE, "--analyzer", "whitespace"))
    assert old[0] == 0
    if limit < 10_000:
        os.utime(tmp_path / "docs.jsonl", (1, 1))  # its offsets are to be made anew
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache/bm25").rglob("*") if path.is_file()}
    code, out, err = finished(start(*RETRIEVE, limit=limit))
    assert (code, out) == (1, ""), err
    (told,) = (line for line in err.splitlines() if line.startswith("rerank: error: "))
    assert "cannot write" in told and ("File too large" in told or "no room to be written whole" in told)
    assert "RERANK_CACHE_DIR" in err and "Traceback" not in err
    assert not half_built(tmp_path / "cache")
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert finished(start(*RETRIEVE, "--analyzer", "whitespace"))[:2] == old[:2]
    assert finished(start(*RETRIEVE))[0] == 0


def test_a_build_that_is_killed_leaves_the_old_index_and_the_next_one_cleans_up(start, tmp_path):
    old = finished(start(*RETRIEVE, "--analyzer", "whitespace"))
    (tmp_path / "docs.jsonl").write_text(DOCUMENTS + '{"_id": "more", "text": "ship sea"}\n')
    code, _, err = finished(start(*RETRIEVE, "--index", "mine", program=("-c", KILLED)))
    assert code == -signal.SIGKILL, err
    assert not (tmp_path / "mine").exists()
    assert [path.name[:6] for path in half_built(tmp_path)] == [".mine."]
    code, out, err = finished(start("retrieve", "--docs", "docs.jsonl", "--topics", "topics.tsv", "--index", "mine"))
    assert code == 0 and len(out.splitlines()) == 1000, err
    assert not half_built(tmp_path)
    (tmp_path / "docs.jsonl").write_text(DOCUMENTS)
    assert finished(start(*RETRIEVE, "--analyzer", "whitespace"))[:2] == old[:2]


def test_two_that_start_together_build_once(start):
    together = [start(*RETRIEVE) for _ in range(3)]
    done = [finished(process) for process in together]
    assert [code for code, _, _ in done] == [0, 0, 0], done
    assert len({out for _, out, _ in done}) == 1 and done[0][1]
    assert sum("indexing 3000 documents" in err for _, _, err in done) == 1
