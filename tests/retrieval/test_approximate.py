"""A graph of neighbours finds nearly what exact search finds, scores it alike, and says how much it misses."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from given_vectors import GivenCorpus, GivenEncoder, silent
from test_dense import index_of, pairs

from rerank_cli.errors import BadData, Missing, WorkFailed
from rerank_cli.retrieval.approximate import kept_graph
from rerank_cli.retrieval.dense import kept_dense_index

#: Looked for, not imported: see `needs_usearch`.
with_usearch = pytest.mark.skipif(find_spec("usearch") is None, reason="the extra ann is not installed")


def some_vectors(number: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(8)
    near = rng.normal(size=(20, 24))[rng.integers(0, 20, number)] + rng.normal(size=(number, 24))
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)


@with_usearch
def test_the_recall_that_it_says_is_that_of_its_lists(tmp_path):
    vectors = some_vectors()
    exact = index_of(vectors, tmp_path)
    said: list[str] = []
    graph = kept_graph(exact, threads=1, note=said.append)
    told = re.search(r"finds ([\d.]+) of the best 10, ([\d.]+) of the best 100, ", said[-1])
    assert told is not None and float(told[1]) > 0.9 and float(told[2]) > 0.9

    queries = some_vectors(1540)[1500:]
    shares = []
    for ours, truth in zip(graph.nearest(queries, 50), exact.nearest(queries, 50), strict=True):
        best, found = dict(pairs(truth)), dict(pairs(ours))
        assert len(found) == 50
        assert list(found.values()) == sorted(found.values(), reverse=True)
        both = best.keys() & found.keys()
        assert {docid: found[docid] for docid in both} == {docid: best[docid] for docid in both}
        shares.append(len(both) / 50)
    assert np.mean(shares) > 0.9

    said.clear()
    assert len(next(kept_graph(exact, threads=1, note=said.append).nearest(queries[:1], 9999)).docids) > 1400
    assert said == []


@with_usearch
def test_the_graph_of_another_index_is_refused(tmp_path):
    encoder = GivenEncoder(lambda text: np.full(4, len(text), np.float32))
    mine = tmp_path / "mine"
    for fingerprint in ("f", "g"):
        corpus = GivenCorpus({b"a": "one", b"b": "three"}, fingerprint)
        exact = kept_dense_index(corpus, encoder, cache_dir=tmp_path, note=silent, folder=mine)
        if fingerprint == "f":
            kept_graph(exact, threads=1, note=silent)
            for path in mine.iterdir():
                path.unlink()
            mine.rmdir()
    with pytest.raises(BadData, match=r"mine\.ann: the index was built from something else"):
        kept_graph(exact, threads=1, note=silent)


@with_usearch
def test_a_graph_that_finds_no_room_is_said_and_leaves_nothing(tmp_path):
    exact = index_of(some_vectors(), tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(WorkFailed, match=r"cannot write .* no room to be written whole"):
            kept_graph(exact, threads=1, note=silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    place = exact.folder.with_name(f"{exact.folder.name}.ann")
    assert not place.exists() and not list(place.parent.glob(f".{place.name}*"))


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(Missing, match="--ann needs the package usearch") as raised:
        kept_graph(index_of(some_vectors(5), tmp_path), threads=1, note=silent)
    assert "rerank-cli[ann]" in raised.value.hint


@with_usearch
def test_a_model_can_be_opened_whatever_was_looked_for_or_built_before() -> None:
    """The package's C++ library, loaded first, ended every model that came behind it: a segmentation fault in its import."""
    code = """
from types import SimpleNamespace
import sys
import numpy as np
from rerank_cli.retrieval import approximate
approximate.needs_usearch()
assert not [name for name in sys.modules if name.partition(".")[0] == "usearch"]
approximate._new_graph(SimpleNamespace(vectors=np.zeros((1, 4), np.float32)))
import onnxruntime
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
