"""A killed encoding is gone on with: what was done is not done again, and the index is the one of a build in one go."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given_vectors import GivenCorpus, GivenEncoder, folders, silent
from waiting import PATIENCE

from rerank_cli.retrieval import encoding
from rerank_cli.retrieval.dense import kept_dense_index
from rerank_cli.retrieval.learned_sparse import kept_encoded_impacts

TEXTS = {b"doc-%d" % number: f"text {number}" + " word" * (number % 12) for number in range(50)}
BLOCK = 8


def vector(text: str) -> np.ndarray:
    return np.array([len(text), int(text.split()[1]), 1], dtype=np.float32)


def weights(text: str) -> np.ndarray:
    number = int(text.split()[1])
    return np.array([[number, number + 7, 99], [1, 0.5, len(text)]], dtype=np.float32)


KINDS = {"dense": (kept_dense_index, vector), "impact": (kept_encoded_impacts, weights)}


def _encode_until_killed(kind: str, cache: Path, inside: Any) -> None:
    encoding.BLOCK_DOCUMENTS = BLOCK
    build, array_of = KINDS[kind]
    left = iter(range(2 * BLOCK + 3))

    def halting(text: str) -> np.ndarray:
        if next(left, None) is None:
            inside.set()
            time.sleep(10 * PATIENCE)
        return array_of(text)

    build(GivenCorpus(TEXTS), GivenEncoder(halting), cache_dir=cache, note=silent)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_build_is_gone_on_with(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", BLOCK)
    build, array_of = KINDS[kind]
    context = multiprocessing.get_context("spawn")
    inside = context.Event()
    builder = context.Process(target=_encode_until_killed, args=(kind, tmp_path / "cache", inside))
    builder.start()
    assert inside.wait(PATIENCE)
    builder.kill()
    builder.join()
    (partial,) = (name for name in folders(tmp_path / "cache" / kind) if name[0] != ".")
    assert partial.endswith(".partial")

    said: list[str] = []
    encoder = GivenEncoder(array_of)
    build(GivenCorpus(TEXTS), encoder, cache_dir=tmp_path / "cache", note=said.append)
    done = len(TEXTS) - encoder.documents
    assert done == 2 * BLOCK
    assert f"after {done} of 50 documents" in said[0]
    assert any("of 50 documents are longer than the 8 tokens" in line for line in said)

    (name,) = folders(tmp_path / "cache" / kind)
    build(GivenCorpus(TEXTS), GivenEncoder(array_of), cache_dir=tmp_path / "whole", note=silent)
    assert contents(tmp_path / "cache" / kind / name) == contents(tmp_path / "whole" / kind / name)


class Stopped(Exception):
    """The model's end in the middle of its work."""


def stopping_after(documents: int):
    left = iter(range(documents))

    def array_of(text: str) -> np.ndarray:
        if next(left, None) is None:
            raise Stopped
        return vector(text)

    return array_of


def test_what_was_kept_of_another_corpus_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", BLOCK)
    mine = {"cache_dir": tmp_path, "folder": tmp_path / "mine", "note": silent}
    with pytest.raises(Stopped):
        kept_dense_index(GivenCorpus(TEXTS), GivenEncoder(stopping_after(20)), **mine)
    assert not (tmp_path / "mine").exists()
    other, said = GivenEncoder(vector), []
    index = kept_dense_index(GivenCorpus(TEXTS, "other"), other, **mine | {"note": said.append})
    assert "16 documents in" in said[0] and "were encoded otherwise" in said[0]
    assert (other.documents, len(index)) == (50, 50)
    assert folders(tmp_path) == ["mine"]


def test_files_that_a_kill_left_longer_or_shorter(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_DOCUMENTS", BLOCK)
    mine = {"cache_dir": tmp_path, "folder": tmp_path / "mine", "note": silent}
    for change, done in ((lambda size: size + 5, 16), (lambda size: size - 5, 0)):
        with pytest.raises(Stopped):
            kept_dense_index(GivenCorpus(TEXTS), GivenEncoder(stopping_after(20)), **mine)
        vectors = tmp_path / "mine.partial/vectors.npy"
        os.truncate(vectors, change(vectors.stat().st_size))
        encoder = GivenEncoder(vector)
        index = kept_dense_index(GivenCorpus(TEXTS), encoder, **mine)
        assert encoder.documents == 50 - done
        assert np.array_equal(index.vectors, np.stack([vector(text) for text in TEXTS.values()]))
        for path in (tmp_path / "mine").iterdir():
            path.unlink()
        (tmp_path / "mine").rmdir()


def test_long_documents_are_not_all_held_together(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK_CHARACTERS", 100)
    together: list[int] = []

    class Watching(GivenEncoder):
        def embed(self, texts, as_query):
            together.append(sum(map(len, texts)))
            return super().embed(texts, as_query)

    kept_dense_index(GivenCorpus(TEXTS), Watching(vector), cache_dir=tmp_path / "many", note=silent)
    longest = max(map(len, TEXTS.values()))
    assert len(together) > 10 and max(together) < 100 + longest + 1
    monkeypatch.undo()
    kept_dense_index(GivenCorpus(TEXTS), GivenEncoder(vector), cache_dir=tmp_path / "one", note=silent)
    (many,), (one,) = (sorted((tmp_path / name / "dense").glob("*/vectors.npy")) for name in ("many", "one"))
    assert many.read_bytes() == one.read_bytes()


def test_a_kill_while_the_index_is_finished_costs_nothing_that_was_encoded(tmp_path, monkeypatch):
    def stop(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as broken, pytest.raises(Stopped):
        broken.setattr("rerank_cli.retrieval.dense.write_manifest", stop)
        kept_dense_index(GivenCorpus(TEXTS), GivenEncoder(vector), cache_dir=tmp_path, note=silent)
    encoder = GivenEncoder(vector)
    index = kept_dense_index(GivenCorpus(TEXTS), encoder, cache_dir=tmp_path, note=silent)
    assert encoder.documents == 0
    assert np.array_equal(index.vectors, np.stack([vector(text) for text in TEXTS.values()]))
    assert len(folders(tmp_path / "dense")) == 1
