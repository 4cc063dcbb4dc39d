"""`rerank retrieve --ray` and `rerank index --ray`: the same indexes and the same runs as by one process, whatever dies."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import WORDS

from rerank_cli.cli.clusters import Cluster
from rerank_cli.cli.crew import Crew, crew_of
from rerank_cli.cli.main import main
from rerank_cli.cli.settings import Settings
from rerank_cli.cli.terminal import Terminal
from rerank_cli.errors import Missing
from rerank_cli.formats.offsets import open_corpus
from rerank_cli.retrieval import encoding, indexing
from rerank_cli.retrieval.bm25 import Bm25
from rerank_cli.retrieval.kept import kept_bm25_index
from rerank_cli.retrieval.retriever import Topic
from rerank_cli.retrieval.sharing import Shared

BLOCK = 32
draw = np.random.default_rng(3)
TEXTS = [" ".join(draw.choice(WORDS, draw.integers(1, 16))) for _ in range(200)]
QUERIES = [" ".join(draw.choice(WORDS, draw.integers(1, 5))) for _ in range(70)]


@pytest.fixture
def address(nodes) -> str:
    """Where the cluster of two nodes at work is."""
    return nodes.address


@pytest.fixture(scope="module")
def sea(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents, that have a field, and topics."""
    folder = tmp_path_factory.mktemp("sea")
    documents = [json.dumps({"_id": f"d{n}", "text": text, "even": n % 2}) for n, text in enumerate(TEXTS)]
    (folder / "docs.jsonl").write_text("\n".join(documents) + "\n")
    (folder / "topics.tsv").write_text("".join(f"q{n}\t{text}\n" for n, text in enumerate(QUERIES)))
    return folder


@pytest.fixture
def inside(inside, sea: Path, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """The program in this process, in small blocks, in the folder of documents."""
    monkeypatch.chdir(sea)
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", BLOCK)
    monkeypatch.setattr(indexing, "BATCH_DOCUMENTS", BLOCK)
    return inside


def crew(address: str, folder: Path) -> AbstractContextManager[Crew]:
    return crew_of(Cluster(address, 2, 0.0, "auto"), Settings(dict(os.environ), folder), Terminal(quiet=True))


def contents(folder: Path) -> dict[str, object]:
    """A folder's files; of the manifest what does not tell the time."""
    files: dict[str, object] = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = json.loads((folder / "manifest.json").read_text())
    return {**files, "manifest.json": {name: fact for name, fact in told.items() if name != "seconds"}}


FROM = ("--docs", "docs.jsonl")
#: A worker has one core, and in small blocks the last digits of vectors depend on the number of threads.
ASK = ("retrieve", *FROM, "--topics", "topics.tsv", "-k", "20", "--threads", "1")


@pytest.mark.parametrize("model", ["bm25", "minilm"])
def test_an_index_and_its_run_are_those_of_one_process(inside, address, tmp_path, model):
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    code, _, said = inside("index", *FROM, "-m", model, "--index", there, "--ray", address, "--workers", "2")
    assert code == 0, said
    assert "2 workers" in said and not Path(here).exists()
    code, run, said = inside(*ASK, "-m", model, "--index", here)
    assert code == 0, said
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    code, theirs, said = inside(*ASK, "-m", model, "--index", there, "--ray", address, "--workers", "2")
    assert (code, theirs) == (0, run), said
    assert len(run.splitlines()) > 70 * 10


def test_the_run_of_a_sum_with_feedback_and_a_filter(inside, address):
    how = ("-m", "bm25+minilm", "--prf", "each", "--filter", "even = 1")
    code, theirs, said = inside(*ASK, *how, "--ray", address)
    assert code == 0, said
    # Both indexes are there now.
    assert said.count("minilm: bi-encoder") == 1 and "encoding 200 documents" in said
    code, run, said = inside(*ASK, *how)
    assert (code, theirs) == (0, run), said
    assert {int(line.split()[2][1:]) % 2 for line in run.splitlines()} == {1}


def _encode(address: str, sea: Path, cache: Path) -> None:
    os.environ["RERANK_CACHE_DIR"] = str(cache)
    os.chdir(sea)
    encoding.BLOCK_DOCUMENTS = 4
    add = encoding.Unfinished.add

    def last_words(work: encoding.Unfinished, *parts: Any) -> None:
        add(work, *parts)
        if work.documents == 12:
            os.kill(os.getpid(), signal.SIGKILL)

    encoding.Unfinished.add = last_words  # type: ignore[method-assign]
    main(["index", *FROM, "-m", "minilm", "--index", str(sea / "killed"), "--ray", address, "--workers", "2"])


def test_encoding_that_was_killed_is_gone_on_with(inside, address, sea, cache_dir, monkeypatch):
    child = multiprocessing.get_context("spawn").Process(target=_encode, args=(address, sea, cache_dir))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", 4)
    how = ("-m", "minilm", "--index", "killed", "--ray", address, "--workers", "2")
    code, _, said = inside("index", *FROM, *how)
    assert code == 0, said
    assert "after 12 of 200 documents" in said
    code, _, said = inside("index", *FROM, "-m", "minilm", "--index", "whole", "--threads", "1")
    assert code == 0, said
    assert contents(sea / "killed") == contents(sea / "whole")


def test_an_index_that_a_worker_does_not_see(address, sea, tmp_path):
    corpus = open_corpus([str(sea / "docs.jsonl")], tmp_path, lambda _: None)
    stage = Bm25(kept_bm25_index(corpus, cache_dir=tmp_path, note=lambda _: None, folder=tmp_path / "own"))
    os.rename(tmp_path / "own", tmp_path / "elsewhere")
    with crew(address, tmp_path) as workers, pytest.raises(Missing) as raised:
        list(Shared(stage, workers.over).search([Topic(b"q", "copper")], 5))
    assert f"{tmp_path / 'own'}: no such folder on {os.uname().nodename}" in raised.value.message
    assert "all workers see it" in raised.value.hint


def test_devices_of_models_begin_no_workers_for_words(inside, monkeypatch):
    monkeypatch.setenv("RERANK_DEVICE", "cuda:0,cuda:1")
    code, _, said = inside(*ASK)
    assert code == 0 and "Ray" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workers", "2"], "--workers is for workers"),
        (["--gpus-per-worker", "0.5"], "--gpus-per-worker is for workers"),
        (["--ray", "local", "--from", "elastic+http://127.0.0.1:1/x"], "--ray is not for --from"),
        (["--ray", "nowhere"], "there is no cluster 'nowhere'"),
    ],
)
def test_mistakes(inside, arguments, says):
    code, out, said = inside(*ASK, *arguments)
    assert (code, out) == (2, "")
    assert says in said
