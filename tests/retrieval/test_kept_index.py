"""An index is built once, kept, and never used for anything but what it was built from."""

import multiprocessing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, Missing
from rerank_cli.retrieval.kept import kept_bm25_index


class Corpus:
    """Documents in memory with a fingerprint."""

    def __init__(self, texts, fingerprint="f1"):
        self.texts, self.fingerprint = texts, fingerprint

    def __len__(self):
        return len(self.texts)

    def __iter__(self):
        return (Document(docid.encode(), "a title", text) for docid, text in self.texts.items())


CORPUS = Corpus({"d1": "one ring", "d2": "two towers"})


def kept(corpus, cache_dir, notes=None, **settings):
    return kept_bm25_index(corpus, cache_dir=cache_dir, note=(notes if notes is not None else []).append, **settings)


def test_the_second_time_nothing_is_built(tmp_path):
    first, second = [], []
    assert kept(CORPUS, tmp_path, first).search("ring", 5)[0].tolist() == [b"d1"]
    assert kept(CORPUS, tmp_path, second).search("ring", 5)[0].tolist() == [b"d1"]
    assert "indexing 2 documents" in first[0]
    assert second == []


@pytest.mark.parametrize(
    ("corpus", "settings"),
    [
        (Corpus({"d1": "other ring"}, "f2"), {}),
        (CORPUS, {"template": "{title}"}),
        (CORPUS, {"analyzer": "whitespace"}),
    ],
)
def test_what_differs_is_indexed_apart_and_a_named_folder_is_refused(tmp_path, corpus, settings):
    kept(CORPUS, tmp_path)
    kept(CORPUS, tmp_path, folder=tmp_path / "mine")
    notes = []
    kept(corpus, tmp_path, notes, **settings)
    assert "indexing" in notes[0]
    with pytest.raises(BadData, match="mine: the index was built from something else"):
        kept(corpus, tmp_path, folder=tmp_path / "mine", **settings)
    assert kept(CORPUS, tmp_path, folder=tmp_path / "mine").search("towers", 5)[0].tolist() == [b"d2"]


def test_a_folder_that_is_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(Missing, match="is not an index"):
        kept(CORPUS, tmp_path, folder=tmp_path / "mine")
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


def test_the_template_says_what_is_indexed(tmp_path):
    assert len(kept(CORPUS, tmp_path).search("title", 5)[0]) == 2
    assert len(kept(CORPUS, tmp_path, template="{text}").search("title", 5)[0]) == 0


def _build(cache_dir: Path, told: Any, go_on: Any) -> None:
    """Tell what is said; wait with a build in its middle until it is to go on."""

    def held(documents):
        for document in documents:
            told.put("in the middle")
            go_on.wait()
            yield document

    index = kept_bm25_index(CORPUS, cache_dir=cache_dir, note=told.put, watch=held)
    told.put(f"found {index.search('ring', 5)[0].tolist()}")


@pytest.fixture
def builders(tmp_path):
    """Starts a process that builds in tmp_path/cache: it, what gives the next thing that it says, and what it waits for."""
    context, started = multiprocessing.get_context("spawn"), []

    def start():
        told, go_on = context.Queue(), context.Event()
        started.append(context.Process(target=_build, args=(tmp_path / "cache", told, go_on)))
        started[-1].start()
        return started[-1], partial(told.get, timeout=PATIENCE), go_on

    yield start
    for process in started:
        process.kill()
        process.join()


def test_processes_that_start_together_build_one_index(tmp_path, builders):
    """The second comes when the first is in the middle."""
    _, first, go_on = builders()
    assert "indexing 2 documents" in first() and first() == "in the middle"
    _, second, _ = builders()
    assert "waiting for another process" in second()
    go_on.set()
    assert second() == "found [b'd1']"
    assert len([path for path in (tmp_path / "cache/bm25").iterdir() if path.is_dir()]) == 1


def test_a_killed_build_leaves_no_index_and_the_next_one_sweeps_up(tmp_path, builders):
    builder, told, _ = builders()
    while told() != "in the middle":
        pass
    builder.kill()
    builder.join()
    assert [path.name[0] for path in (tmp_path / "cache/bm25").iterdir() if path.is_dir()] == ["."]
    assert kept(CORPUS, tmp_path / "cache").search("ring", 5)[0].tolist() == [b"d1"]
    assert [path.name[0] for path in (tmp_path / "cache/bm25").iterdir() if path.is_dir()] != ["."]
    assert len([path for path in (tmp_path / "cache/bm25").iterdir() if path.is_dir()]) == 1
