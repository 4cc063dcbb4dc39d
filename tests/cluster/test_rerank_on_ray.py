"""`rerank rerank --ray` through the program: the run of one process, whoever dies on the way."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from waiting import first_line, give, until

from rerank_cli.cli.rerank_on_ray import in_equal_parts

RERANK = [sys.executable, "-P", "-m", "rerank_cli"]
MINILM = ["rerank", "-c", "demo", "-m", "minilm", "--no-cache"]


@pytest.fixture(scope="module")
def candidates(environment, tmp_path_factory) -> Path:
    """BM25's lists for the demo collection: 40 queries, some blocks of them."""
    path = tmp_path_factory.mktemp("candidates") / "bm25.run"
    subprocess.run([*RERANK, "retrieve", "-c", "demo", "-k", "60", "-q", "-o", path], env=environment, check=True)
    return path


@pytest.fixture(scope="module")
def alone(environment, candidates) -> str:
    """What one process makes of them."""
    command = [*RERANK, *MINILM, "-q", candidates]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def begun(environment) -> Any:
    """`begun(*arguments, env={})` starts the real program, as a terminal would; its stdin is open until somebody closes it."""
    started = []

    def start(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        # Who runs the tests in the background ignores SIGINT, and children would too.
        heeding = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        how = {"env": {**environment, **(env or {})}, "text": True, "start_new_session": True, "preexec_fn": heeding}
        started.append(subprocess.Popen([*RERANK, *map(str, arguments)], **pipes, **how))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                stream.close()


def given_but_for_the_last(process: subprocess.Popen[str], candidates: Path) -> str:
    """Write all of the run but its last ten queries, so that whoever reads it cannot be done; returns these."""
    lines = candidates.read_text().splitlines(keepends=True)
    first = len(lines) - 10 * 60
    give(process, "".join(lines[:first]))
    return "".join(lines[first:])


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
    "strategy": ["-m", "minilm", "--strategy", "heapsort", "--top", "5", "-k", "30"],
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_run_is_that_of_one_process(inside, nodes, candidates, way, tmp_path):
    common = ["rerank", candidates, "-c", "demo", "--no-cache", *way]
    code, _, said = inside(*common, "--stats", "here.jsonl", "-o", "here.run")
    assert code == 0, said
    code, _, said = inside(*common, "--ray", nodes.address, "--stats", "there.jsonl", "-o", "there.run")
    assert code == 0, said
    assert "2 workers, each with 1 cores, on 3 nodes" in said
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


@pytest.mark.parametrize(
    ("queries", "of", "workers", "each"),
    [(12, 43, 2, 6), (12, 43, 16, 1), (12, 6980, 16, 12), (7, 43, 2, 7), (12, 3, 16, 1), (12, None, 16, 12)],
)
def test_few_queries_are_cut_so_that_every_worker_has_some(queries, of, workers, each):
    assert in_equal_parts(queries, of, workers) == each


@pytest.mark.slow
@pytest.mark.data
def test_dl19_by_two_nodes_is_the_run_and_the_ndcg_of_one_process(inside, nodes, data, tmp_path):
    """The first 14 topics: a block for each of the two; `python benchmarks/cluster.py dl19` takes all 43."""
    folder = data / "dl19-passage"
    with (folder / "runs/BM25.trec").open() as run:
        (tmp_path / "first.run").write_text("".join(line for _, line in zip(range(14 * 100), run)))
    common = ["rerank", "first.run", "-c", folder, "-m", "minilm", "--device", "cpu", "--no-cache"]
    values = []
    for name, how in (("here.run", []), ("there.run", ["--ray", nodes.address])):
        code, _, said = inside(*common, *how, "-o", name)
        assert code == 0, said
        code, judged, said = inside("eval", name, "-Q", folder / "qrels.trec", "-m", "nDCG@10", "--per-query")
        assert code == 0, said
        values.append(judged)
    same((tmp_path / "here.run").read_text(), (tmp_path / "there.run").read_text())
    assert values[0] == values[1] and values[0].count("nDCG@10") > 14


@pytest.mark.slow
def test_a_run_with_texts_needs_no_collection_there_and_keeps_them(inside, rerank, nodes, tmp_path):
    first = rerank("retrieve", "-c", "demo", "-k", "5", "--output-format", "jsonl", "-q")
    (tmp_path / "texts.jsonl").write_bytes(first.out)
    common = ["rerank", "texts.jsonl", "-m", "minilm", "--no-cache", "--output-format", "jsonl"]
    runs = []
    for how in ([], ["--ray", nodes.address, "--workers", "1"]):
        code, out, said = inside(*common, *how)
        assert code == 0, said
        runs.append([json.loads(line) for line in out.splitlines()])
    for one, other in zip(*runs, strict=True):
        assert one["query"] == other["query"]
        texts = [[document["doc"] for document in line["candidates"]] for line in (one, other)]
        assert texts[0] == texts[1] and len(texts[0]) > 0


@pytest.mark.slow
def test_a_node_killed_in_the_middle_changes_nothing(begun, nodes, candidates, alone):
    process = begun(*MINILM, "--ray", nodes.address)
    last = given_but_for_the_last(process, candidates)
    first = first_line(process)
    nodes.kill()
    give(process, last)
    process.stdin.close()
    # What was read ahead with the first line is in this file's buffer: `communicate` would lose it.
    rest, said = process.stdout.read(), process.stderr.read()
    assert process.wait() == 0, said
    assert all(line.startswith("rerank: ") for line in said.splitlines()), said
    same(alone, first + rest)


@pytest.mark.slow
def test_what_was_answered_before_the_driver_was_killed_is_kept(
    begun, inside, nodes, candidates, alone, tmp_path, monkeypatch
):
    common = ["rerank", "-c", "demo", "-m", "minilm", "--ray", nodes.address]
    process = begun(*common, env={"RERANK_CACHE_DIR": str(tmp_path / "cache")})
    given_but_for_the_last(process, candidates)
    written = first_line(process).split()[0]
    process.kill()
    process.wait()
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    code, out, said = inside(*common, candidates, "--stats", "stats.jsonl")
    assert code == 0, said
    stats = {line["qid"]: line for line in map(json.loads, (tmp_path / "stats.jsonl").open())}
    assert stats[written]["cached"] == stats[written]["pairs"] > 0
    same(alone, out)


def test_errors_keep_their_exit_codes(inside, nodes, candidates, tmp_path):
    (tmp_path / "lost.run").write_text("PLAIN-1 Q0 nosuch 1 2.0 x\n")
    topic = candidates.read_text().split()[0]
    (tmp_path / "textless.run").write_text(f"{topic} Q0 nosuch 1 2.0 x\n")
    for run, code, what in (
        ("lost.run", 4, "have no text in demo"),
        ("textless.run", 4, "1 of 1 documents have no text"),
    ):
        found, out, said = inside("rerank", run, "-c", "demo", "-m", "minilm", "--ray", nodes.address, "--workers", "1")
        assert (found, out) == (code, ""), said
        assert what in said
        assert "Traceback" not in said


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
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9), (0, 0)]
)
def test_a_local_cluster_leaves_nothing(begun, candidates, number, code):
    """Neither processes nor, when it is given the time, a folder."""
    pytest.importorskip("ray")
    temporary = Path(tempfile.mkdtemp(prefix="rr", dir="/tmp"))
    process = begun(*MINILM, "--ray", "local", "--workers", "1", env={"TMPDIR": str(temporary)})
    last = given_but_for_the_last(process, candidates)
    first_line(process)
    assert offspring(temporary)
    if number == signal.SIGKILL:
        process.kill()
    elif number:
        # As a terminal does: to all processes of the group.
        os.killpg(process.pid, number)
    last = "" if number else last
    _, err = process.communicate(last)
    assert process.returncode == code, err
    assert all(line.startswith("rerank: ") for line in err.splitlines()), err
    until(lambda: not offspring(temporary))
    assert number == signal.SIGKILL or not list(temporary.glob("ray-*"))
    shutil.rmtree(temporary)
