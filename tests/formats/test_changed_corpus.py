"""A corpus that others change, and an index of it that others remove, while it is in use."""

import json
import shutil

import pytest

from rerank_cli.core.texts import Document
from rerank_cli.errors import WorkFailed
from rerank_cli.formats import offsets
from rerank_cli.formats.offsets import open_corpus

DOCUMENTS = [Document(b"d%d" % n, "", f"text {n}") for n in range(3)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps({"_id": d.docid.decode(), "text": d.text}) + "\n" for d in DOCUMENTS))
    return path


def silent(_):
    pass


def append(path):
    with open(path, "a") as file:
        file.write('{"_id": "new", "text": "new"}\n')


def test_an_index_that_is_removed_before_it_is_open_is_made_again(path, tmp_path, monkeypatch):
    real, tries = offsets.IndexedCorpus, []

    def removed_first(folder):
        tries.append(folder)
        # The build itself opens it too, aside.
        if len(tries) == 2:
            shutil.rmtree(folder)
        return real(folder)

    monkeypatch.setattr(offsets, "IndexedCorpus", removed_first)
    assert list(open_corpus([str(path)], tmp_path / "cache", silent)) == DOCUMENTS
    assert len(tries) == 4


@pytest.mark.parametrize(("machine", "left"), [(None, 1), ("another", 2)])
def test_an_outdated_index_goes_where_this_machine_made_it(path, tmp_path, machine, left):
    open_corpus([str(path)], tmp_path / "cache", silent)
    if machine:
        (meta,) = (tmp_path / "cache/texts").glob("*/meta.json")
        meta.write_text(json.dumps(json.loads(meta.read_text()) | {"machine": machine}))
    append(path)
    assert len(open_corpus([str(path)], tmp_path / "cache", silent)) == 4
    assert sum(folder.is_dir() for folder in (tmp_path / "cache/texts").iterdir()) == left


def test_a_file_that_changes_while_it_is_read_is_an_error_and_no_index_of_half_of_it(path, tmp_path):
    corpus = open_corpus([str(path)], tmp_path / "cache", silent)
    reading = iter(corpus)
    assert next(reading) == DOCUMENTS[0]
    append(path)
    with pytest.raises(WorkFailed, match="has changed while it was in use"):
        list(reading)


def test_a_file_that_changes_while_documents_are_looked_up_is_an_error(path, tmp_path, monkeypatch):
    corpus = open_corpus([str(path)], tmp_path / "cache", silent)
    real = corpus._open

    def changed_when_open(number):
        stream = real(number)
        append(path)
        return stream

    monkeypatch.setattr(corpus, "_open", changed_when_open)
    with pytest.raises(WorkFailed, match="has changed while it was in use"):
        corpus.lookup([b"d1"])
