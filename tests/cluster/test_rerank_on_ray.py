"""`rerank rerank --ray` through the real program: the run of one process, whoever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RERANK = [sys.executable, "-P", "-m", "rerank_cli"]


@pytest.fixture(scope="module")
def candidates(environment, tmp_path_factory) -> Path:
    """BM25's lists for the demo collection."""
    path = tmp_path_factory.mktemp("candidates") / "bm25.run"
    subprocess.run([*RERANK, "retrieve", "-c", "demo", "-k", "60", "-q", "-o", path], env=environment, check=True)
    return path


def scores(text: str) -> dict[str, dict[str, float]]:
    """Query -> document -> score, in the run's order."""
    found: dict[str, dict[str, float]] = {}
    for qid, _, docid, _, score, _ in map(str.split, text.splitlines()):
        found.setdefault(qid, {})[docid] = float(score)
    return found


def same(here: str, there: str) -> None:
    """The same run: queries and documents in the same order, scores to 1e-5; equal scores may change places."""
    one, other = scores(here), scores(there)
    assert list(one) == list(other)
    for qid, documents in one.items():
        assert other[qid] == pytest.approx(documents, abs=1e-5)
        for (first, a), (second, _) in zip(documents.items(), other[qid].items()):
            assert first == second or documents[second] == pytest.approx(a, abs=1e-5)


WAYS = {
    "minilm": ["-m", "minilm", "--passages", "32:16", "--interpolate", "0.7"],
    "blend": [],
    "strategy": ["-m", "minilm", "--strategy", "heapsort", "--top", "5", "-k", "20"],
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_run_is_that_of_one_process(rerank, nodes, candidates, way, tmp_path):
    common = ["rerank", candidates, "-c", "demo", "--no-cache", *way]
    here = rerank(*common, "--stats", "here.jsonl", "-o", "here.run")
    there = rerank(*common, "--ray", nodes.address, "--stats", "there.jsonl", "-o", "there.run")
    assert (here.code, there.code) == (0, 0), there.err
    assert "2 workers, each with 1 cores, on 3 nodes" in there.err
    assert all(line.startswith("rerank: ") for line in there.err.splitlines()), there.err
    same((tmp_path / "here.run").read_text(), (tmp_path / "there.run").read_text())
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("here.run.json", "there.run.json"))
    assert one == other
    for line, another in zip((tmp_path / "here.jsonl").open(), (tmp_path / "there.jsonl").open(), strict=True):
        # What a worker has read it remembers, and others do not: the calls are those that were really made.
        told, elsewhere = (
            {name: value for name, value in json.loads(text).items() if name not in ("seconds", "calls")}
            for text in (line, another)
        )
        assert told == elsewhere


@pytest.mark.slow
def test_a_run_with_texts_needs_no_collection_there_and_keeps_them(rerank, nodes, tmp_path):
    first = rerank("retrieve", "-c", "demo", "-k", "5", "--output-format", "jsonl", "-q")
    common = ["rerank", "-m", "minilm", "--no-cache", "--output-format", "jsonl"]
    here, there = (rerank(*common, *how, stdin=first.out) for how in ([], ["--ray", nodes.address]))
    assert there.code == 0, there.err
    for one, other in zip(here.lines, there.lines, strict=True):
        one, other = json.loads(one), json.loads(other)
        assert one["query"] == other["query"]
        assert [document["doc"] for document in one["candidates"]] == [
            document["doc"] for document in other["candidates"]
        ]


@pytest.mark.slow
def test_a_node_killed_in_the_middle_changes_nothing(rerank, nodes, candidates, environment, tmp_path):
    common = ["rerank", candidates, "-c", "demo", "-m", "minilm", "--no-cache"]
    here = rerank(*common)
    process = subprocess.Popen(
        [*RERANK, *map(str, common), "--ray", nodes.address],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    first = process.stdout.readline()
    nodes.kill()
    rest = process.stdout.read()
    assert process.wait() == 0
    same(here.text, first + rest)


@pytest.mark.slow
def test_what_was_answered_before_the_driver_was_killed_is_kept(rerank, nodes, candidates, environment, tmp_path):
    common = ["rerank", candidates, "-c", "demo", "-m", "minilm", "--ray", nodes.address]
    own = {"RERANK_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [*RERANK, *map(str, common)], env={**environment, **own}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    written = process.stdout.readline().split()[0]
    process.kill()
    process.wait()
    again = rerank(*common, "--stats", "stats.jsonl", env=own)
    assert again.code == 0, again.err
    stats = {line["qid"]: line for line in map(json.loads, (tmp_path / "stats.jsonl").open())}
    assert stats[written.decode()]["cached"] == stats[written.decode()]["pairs"] > 0
    same(rerank(*common[:-2], "--no-cache").text, again.text)


def test_errors_keep_their_exit_codes(rerank, nodes, candidates, tmp_path):
    (tmp_path / "lost.run").write_text("PLAIN-1 Q0 nosuch 1 2.0 x\n")
    topic = candidates.read_text().split()[0]
    (tmp_path / "textless.run").write_text(f"{topic} Q0 nosuch 1 2.0 x\n")
    for run, code, what in (
        ("lost.run", 4, "have no text in demo"),
        ("textless.run", 4, "1 of 1 documents have no text"),
    ):
        result = rerank("rerank", run, "-c", "demo", "-m", "minilm", "--ray", nodes.address)
        assert (result.code, result.out) == (code, b""), result.err
        assert what in result.err
        assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        (["--device", "cuda:0,cuda:1"], 5, "the device cuda:0 is not available"),
        (["--device", "cuda:0,cuda:0"], 2, "several devices are different GPUs"),
        (["--device", "cuda:0,cuda:1", "--ray", "local"], 2, "does not go together with --ray"),
        (["--ray", "local", "--endpoint", "http://localhost:9"], 2, "--ray does not go together with --endpoint"),
        (["--ray", "localhost:9"], 1, "no Ray cluster answers at localhost:9"),
        (["--ray", "ray://localhost"], 2, "there is no cluster 'ray://localhost'"),
        (["--workers", "2"], 2, "--workers is for workers"),
        (["--ray", "local", "--device", "cpu", "--gpus-per-worker", "1"], 2, "--device cpu does not go together"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told_at_once(rerank, candidates, options, code, what):
    began = time.monotonic()
    result = rerank("rerank", candidates, "-c", "demo", *options)
    assert (result.code, result.out) == (code, b""), result.err
    assert any(what in line for line in result.err.splitlines()[-2:] if line.startswith("rerank: error: "))
    assert time.monotonic() - began < 30


def test_a_dry_run_begins_no_cluster(rerank, candidates):
    result = rerank("rerank", candidates, "-c", "demo", "-m", "minilm", "--ray", "localhost:9", "--dry-run")
    assert result.code == 0, result.err
    assert "pairs\t" in result.text


def offspring(folder: Path) -> list[str]:
    """Processes whose command names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path.parent.name] if str(folder).encode() in path.read_bytes() else []
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (None, 0)])
def test_a_local_cluster_leaves_nothing(environment, candidates, number, code, tmp_path):
    pytest.importorskip("ray")
    temporary = Path(f"/tmp/rr{os.getpid()}")
    temporary.mkdir(exist_ok=True)
    command = [*RERANK, "rerank", str(candidates), "-c", "demo", "-m", "minilm", "--no-cache", "--ray", "local"]
    process = subprocess.Popen(
        command,
        env={**environment, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline()
    assert offspring(temporary)
    if number is not None:
        # As a terminal does: to all processes of the group.
        os.killpg(process.pid, number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    assert "Traceback" not in err
    end = time.monotonic() + 20
    while offspring(temporary) and time.monotonic() < end:
        time.sleep(0.2)
    assert not offspring(temporary)
    assert not list(temporary.glob("ray-*"))
    shutil.rmtree(temporary)
