"""Documents by id: found in every kind of file, indexed once, and again when a file changes."""

import bz2
import gzip
import json
import lzma
import os
import random
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, Missing, WorkFailed
from rerank_cli.formats import indexed_corpus, offsets
from rerank_cli.formats.offsets import open_corpus

DOCUMENTS = [Document(b"d%d" % n, f"title {n}", f"text of {n} " * (n % 7)) for n in range(300)]
COMPRESSIONS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def jsonl(documents) -> bytes:
    rows = ({"_id": d.docid.decode(), "title": d.title, "text": d.text} for d in documents)
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def tsv(documents) -> bytes:
    return b"".join(b"%s\t%s\n" % (d.docid, d.text.encode()) for d in documents)


def sgml(documents) -> bytes:
    return "".join(
        f"<DOC>\n<DOCNO> {d.docid.decode()} </DOCNO>\n<TITLE>{d.title}</TITLE>\n<TEXT>\n{d.text}\n</TEXT>\n</DOC>\n"
        for d in documents
    ).encode()


def stripped(documents):
    return [d._replace(text=d.text.strip()) for d in documents]


def silent(text: str) -> None:
    """A note that nobody hears."""


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (jsonl, DOCUMENTS),
        (tsv, [d._replace(title="") for d in DOCUMENTS]),
        (sgml, stripped(DOCUMENTS)),
    ],
)
def test_looked_up_and_walked_in_every_kind_of_file(tmp_path, cache, compression, made, expected):
    (tmp_path / "corpus").write_bytes(COMPRESSIONS[compression](made(DOCUMENTS)))
    corpus = open_corpus([str(tmp_path / "corpus")], cache, silent)
    shuffled = random.Random(1).sample(expected, len(expected))
    asked = [d.docid for d in shuffled]
    mixed = [*shuffled[:200], None, shuffled[0], *shuffled[200:]]
    assert corpus.lookup([*asked[:200], b"nowhere", asked[0], *asked[200:]]) == mixed
    assert list(corpus) == expected
    assert len(corpus) == len(expected)
    (tmp_path / "corpus").unlink()
    assert corpus.contains([*asked, b"nowhere", asked[0], b""]) == [*[True] * len(asked), False, True, False]


def test_a_document_longer_than_a_block_and_one_across_two(tmp_path, cache):
    noise = random.Random(1)
    long = [
        Document(b"d%d" % n, "", "".join(noise.choices("abcdefgh ", k=size)))
        for n, size in enumerate([70_000, 10, 200_000, 65_536, 1])
    ]
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(jsonl(long)))
    corpus = open_corpus([str(tmp_path / "c.jsonl.gz")], cache, silent)
    assert corpus.lookup([d.docid for d in reversed(long)]) == long[::-1]
    assert list(corpus) == long


def test_several_files_of_several_kinds_are_one_corpus(tmp_path, cache):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(jsonl(DOCUMENTS[:100]).rstrip(b"\n"))
    (folder / "b.tsv.gz").write_bytes(gzip.compress(tsv(DOCUMENTS[100:150]).rstrip(b"\n")))
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "c.trec.zst").write_bytes(COMPRESSIONS["zstd"](sgml(DOCUMENTS[150:])))
    expected = [*DOCUMENTS[:100], *(d._replace(title="") for d in DOCUMENTS[100:150]), *stripped(DOCUMENTS[150:])]
    by_id = {d.docid: d for d in expected}
    names = ("a.jsonl", "b.tsv.gz", "empty.jsonl", "c.trec.zst")
    one_by_one = open_corpus([str(folder / name) for name in names], cache, silent)
    assert list(one_by_one) == expected
    for paths in ([str(folder)], [str(folder / "*.*")], [str(folder / "c*"), str(folder / "[abe]*")]):
        corpus = open_corpus(paths, cache, silent)
        assert corpus.lookup(list(by_id)) == expected
        assert sorted(corpus) == sorted(expected)


def test_a_file_named_twice_is_taken_once(tmp_path, cache):
    (tmp_path / "a.jsonl").write_bytes(jsonl(DOCUMENTS))
    assert len(open_corpus([str(tmp_path / "a.jsonl"), str(tmp_path / "*.jsonl")], cache, silent)) == len(DOCUMENTS)


def test_an_empty_corpus(tmp_path, cache):
    for name, data in (("a.jsonl", b""), ("b.jsonl.gz", gzip.compress(b""))):
        (tmp_path / name).write_bytes(data)
        corpus = open_corpus([str(tmp_path / name)], cache, silent)
        assert (len(corpus), list(corpus), corpus.lookup([b"x"]), corpus.lookup([])) == (0, [], [None], [])
        assert (corpus.contains([b"x", b"y"]), corpus.contains([])) == ([False, False], [])


def test_a_folder_says_what_it_passes_over(tmp_path, cache):
    folder = tmp_path / "disk"
    (folder / "ft").mkdir(parents=True)
    (folder / "ft" / "ft911_1").write_bytes(sgml(DOCUMENTS[:5]))
    (folder / "README").write_text("not documents")
    said: list[str] = []
    assert list(open_corpus([str(folder)], cache, said.append)) == stripped(DOCUMENTS[:5])
    assert any("README" in line for line in said)


def test_a_beir_folder_means_its_corpus(tmp_path, cache):
    (tmp_path / "corpus.jsonl").write_bytes(jsonl(DOCUMENTS))
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "not a document"}\n')
    assert list(open_corpus([str(tmp_path)], cache, silent)) == DOCUMENTS


def test_a_fifo_is_as_good_as_a_file(tmp_path, cache):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(gzip.compress(jsonl(DOCUMENTS)),))
    writer.start()
    corpus = open_corpus([str(fifo)], cache, silent)
    writer.join()
    assert list(corpus) == DOCUMENTS
    assert corpus.lookup([b"d7", b"d299"]) == [DOCUMENTS[7], DOCUMENTS[299]]
    assert [left.name for left in (cache / "texts").iterdir()] == ["passing.lock"]


def test_the_fingerprint_follows_the_documents_only(tmp_path, cache):
    (tmp_path / "a.jsonl").write_bytes(jsonl(DOCUMENTS))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(jsonl(DOCUMENTS)))
    (tmp_path / "c.jsonl").write_bytes(jsonl([*DOCUMENTS[:-1], DOCUMENTS[-1]._replace(text="other")]))
    one, compressed, other = (
        open_corpus([str(tmp_path / name)], cache, silent).fingerprint for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")
    )
    assert one == compressed != other


def test_size_and_time_of_a_copy_are_said_first_and_once(tmp_path, cache):
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(jsonl(DOCUMENTS)))
    said: list[str] = []
    open_corpus([str(tmp_path / "c.jsonl.gz")], cache, said.append)
    assert len(said) == 1 and "c.jsonl.gz" in said[0] and " MB" in said[0] and " s)" in said[0]
    open_corpus([str(tmp_path / "c.jsonl.gz")], cache, said.append)
    assert len(said) == 1


def test_broken_bytes_are_counted(tmp_path, cache):
    (tmp_path / "c.jsonl").write_bytes(b'{"_id": "a", "text": "\xff"}\n{"_id": "b", "text": "\xef\xbf\xbd"}\n')
    said: list[str] = []
    open_corpus([str(tmp_path / "c.jsonl")], cache, said.append)
    assert len(said) == 1 and "1 documents are not valid UTF-8" in said[0]


@pytest.mark.parametrize("change", ["size", "time"])
@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_changed_file_is_indexed_again(tmp_path, cache, change, name):
    def write(documents, mtime_ns):
        data = jsonl(documents)
        path.write_bytes(gzip.compress(data, compresslevel=0) if name.endswith(".gz") else data)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path.stat().st_size

    path = tmp_path / name
    size = write(DOCUMENTS, 1)
    before = open_corpus([str(path)], cache, silent)
    longer = change == "size"
    changed = Document(b"d1", "TITLE 1", DOCUMENTS[1].text + "!" * longer)
    assert (write([DOCUMENTS[0], changed, *DOCUMENTS[2:]], 1 if longer else 2) != size) == longer
    assert open_corpus([str(path)], cache, silent).lookup([b"d1"]) == [changed]
    assert sum(folder.is_dir() for folder in (cache / "texts").iterdir()) == 1
    if name == "c.jsonl":
        with pytest.raises(WorkFailed, match="has changed while it was in use"):
            before.lookup([b"d1"])
    else:
        assert before.lookup([b"d1"]) == [DOCUMENTS[1]]


@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_a_doubled_id_is_refused_with_both_places(tmp_path, cache, compression):
    pack = COMPRESSIONS[compression]
    (tmp_path / "a.jsonl").write_bytes(pack(jsonl(DOCUMENTS)))
    (tmp_path / "b.tsv").write_bytes(pack(b"x\tone\n\nd41\tagain\n"))
    with pytest.raises(BadData) as error:
        open_corpus([str(tmp_path / "a.jsonl"), str(tmp_path / "b.tsv")], cache, silent)
    assert f"{tmp_path}/a.jsonl:42" in error.value.message and f"{tmp_path}/b.tsv:3: " in error.value.message
    assert not any(path.is_dir() for path in (cache / "texts").iterdir())


def test_a_broken_line_is_named_and_leaves_nothing(tmp_path, cache):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(jsonl(DOCUMENTS) + b"{\n"))
    with pytest.raises(BadData, match=r"a\.jsonl\.gz:301: not valid JSON"):
        open_corpus([str(tmp_path / "a.jsonl.gz")], cache, silent)
    assert not any(path.is_dir() for path in (cache / "texts").iterdir())


def test_a_cut_gzip_is_refused(tmp_path, cache):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(jsonl(DOCUMENTS))[:-100])
    with pytest.raises(BadData, match=r"a\.jsonl\.gz"):
        open_corpus([str(tmp_path / "a.jsonl.gz")], cache, silent)


@pytest.mark.parametrize("path", ["nothing.jsonl", "no*.jsonl"])
def test_what_is_not_there(tmp_path, cache, path):
    with pytest.raises(Missing, match=r"no.*\.jsonl"):
        open_corpus([str(tmp_path / path)], cache, silent)


@settings(deadline=None)
@given(documents=st.lists(st.text("abc", min_size=1, max_size=4), unique=True), asked=st.lists(st.text("abcd")))
def test_ids_that_share_a_hash_are_told_apart(tmp_path_factory, documents, asked):
    folder = tmp_path_factory.mktemp("collisions")
    expected = [Document(docid.encode(), "", docid * 3) for docid in documents]
    (folder / "c.jsonl").write_bytes(jsonl(expected))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offsets, "key_of", len)
        patch.setattr(indexed_corpus, "key_of", len)
        corpus = open_corpus([str(folder / "c.jsonl")], folder, silent)
        by_id = {d.docid: d for d in expected}
        wanted = [docid.encode() for docid in asked + documents]
        assert corpus.lookup(wanted) == [by_id.get(docid) for docid in wanted]


@pytest.mark.data
@pytest.mark.parametrize(("name", "count"), [("scifact", 5183), ("cranfield", 1400), ("dl19-passage", 10852)])
def test_real_collections(data, cache, name, count):
    path = data / name / "corpus.jsonl"
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    expected = [Document(row["_id"].encode(), row.get("title", ""), row["text"]) for row in rows]
    corpus = open_corpus([str(path)], cache, silent)
    assert len(corpus) == count
    assert list(corpus) == expected
    sample = random.Random(0).sample(expected, 1000)
    assert corpus.lookup([d.docid for d in sample]) == sample
