"""Bad corpora, topics and indexes through `rerank retrieve`: a right answer, or one line that says where and the right exit code."""

import gzip
import io
import json
import re
import shutil
import sys

import pytest

from rerank_cli.cli.main import main

GOOD = [{"_id": f"d{n}", "title": "", "text": f"a ship number {n}"} for n in range(5)]


def jsonl(documents):
    return "".join(json.dumps(document) + "\n" for document in documents).encode()


@pytest.fixture
def inside(tmp_path, monkeypatch, capfdbinary):
    """`inside(*arguments, stdin=b"")`: exit code, stdout, stderr of the program run in this process, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("RERANK_COLLECTION", "RERANK_RETRIEVER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "topics.tsv").write_text("q1\tship\nq2\tnumber 3\n")
    (tmp_path / "good.jsonl").write_bytes(jsonl(GOOD))

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(list(arguments))
        out, err = capfdbinary.readouterr()
        return int(code), out, err.decode("utf-8", "replace")

    return run


def retrieve(inside, corpus="corpus.jsonl", *more, topics="topics.tsv"):
    return inside("retrieve", "--docs", corpus, "--topics", topics, *more)


def docids(out, qid=b"q1"):
    return [line.split()[2].decode() for line in out.splitlines() if line.startswith(qid + b" ")]


def says_one_line(done, code, error):
    """Exit code, nothing on stdout, one error that says so, every line ours and short."""
    found, out, err = done
    assert (found, out) == (code, b""), err
    told = [line for line in err.splitlines() if line.startswith("rerank: error: ")]
    assert len(told) == 1 and re.match(f"rerank: error: {error}", told[0]), err
    assert all(line.startswith("rerank: ") and len(line) < 300 for line in err.splitlines()), err


def whole(folder):
    """That nothing is half-built below a folder."""
    left = [path.name for path in folder.rglob("*") if path.name.startswith(".") or path.name in ("chunks", "partial")]
    assert not left, left
    return True


BROKEN = {
    "half an object": b'{"_id": "d9", "text": "a sh',
    "no JSON": b"d9 a ship",
    "a list": b'["d9", "a ship"]',
    "a number": b"7",
    "two objects": b'{"_id": "d9", "text": "a"} {"_id": "d8", "text": "b"}',
    "no id": b'{"title": "", "text": "a ship"}',
    "an empty id": b'{"_id": "", "text": "a ship"}',
    "no text": b'{"_id": "d9", "title": "a ship"}',
    "a text that is none": b'{"_id": "d9", "text": {"a": "ship"}}',
    "a deep nest": b"[" * 100_000,
    "a NUL in the id": b'{"_id": "d\\u00009", "text": "a ship"}',
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_broken_line_of_the_corpus_is_named(inside, tmp_path, kind, pack):
    lines = jsonl(GOOD).splitlines(keepends=True)
    (tmp_path / "corpus.jsonl").write_bytes(pack(b"".join([*lines[:2], BROKEN[kind] + b"\n", *lines[2:]])))
    says_one_line(retrieve(inside), 3, r"corpus\.jsonl:3: ")
    assert whole(tmp_path)


def test_an_id_twice_names_both_places(inside, tmp_path):
    (tmp_path / "corpus.jsonl").write_bytes(jsonl([*GOOD, GOOD[1]]))
    code, out, err = done = retrieve(inside)
    says_one_line(done, 3, "")
    assert "d1" in err and "corpus.jsonl:2" in err and "corpus.jsonl:6" in err
    (tmp_path / "other.jsonl").write_bytes(jsonl(GOOD[3:4]))
    code, out, err = inside("retrieve", "--docs", "good.jsonl", "--docs", "other.jsonl", "--topics", "topics.tsv")
    assert (code, out) == (3, b"") and "good.jsonl:4" in err and "other.jsonl:1" in err
    assert whole(tmp_path)


def test_documents_without_a_word_are_documents(inside, tmp_path):
    empty = [
        {"_id": "e1", "text": ""},
        {"_id": "e2", "title": "", "text": " \n "},
        {"_id": "e3", "text": "the of and ..."},
    ]
    (tmp_path / "corpus.jsonl").write_bytes(jsonl([empty[0], *GOOD, *empty[1:]]))
    (tmp_path / "empty.jsonl").write_bytes(jsonl(empty))
    code, out, _ = retrieve(inside)
    assert code == 0 and sorted(docids(out)) == ["d0", "d1", "d2", "d3", "d4"]
    # Lucene counts the documents that have the field: those without a word change no score.
    assert out == retrieve(inside, "good.jsonl")[1]
    code, out, err = retrieve(inside, "empty.jsonl")
    assert (code, out) == (0, b"") and "2 of 2 topics match no document" in err


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_corpus_of_nothing(inside, tmp_path, content):
    (tmp_path / "corpus.jsonl").write_bytes(content)
    code, out, err = retrieve(inside)
    assert out == b"" and "Traceback" not in err
    assert code in (0, 3) and ("2 of 2 topics match no document" in err or "corpus.jsonl" in err)


@pytest.mark.parametrize(
    "long", ["ship " * 2_000_000, "x" * 10_000_000, "é" * 5_000_000, "ship\\n" * 1_600_000, "." * 10_000_000]
)
def test_ten_megabytes_in_one_document(inside, tmp_path, long):
    text = json.dumps({"_id": "long", "text": f"a ship {long}"})
    (tmp_path / "corpus.jsonl").write_bytes(jsonl(GOOD) + text.encode() + b"\n")
    code, out, err = retrieve(inside)
    assert code == 0, err
    assert sorted(docids(out)) == ["d0", "d1", "d2", "d3", "d4", "long"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("t.tsv", "q1\tship\nq2\t\nq3\tsea\n", 2),
        ("t.tsv", "q1\tship\nq2\t  \n", 2),
        ("t.tsv", "q1\tship\nq2\n", 2),
        ("t.tsv", "q1\tship\n\tsea\n", 2),
        ("t.tsv", "q1\tship\nq1\tsea\n", 2),
        ("t.jsonl", '{"_id": "q1", "text": "ship"}\n{"_id": "q2", "text": ""}\n', 2),
        ("t.jsonl", '{"_id": "q1", "text": "ship"}\n{"_id": "q2"}\n', 2),
        ("t.jsonl", '{"_id": "q1", "text": "ship"}\n{"_id": "q2", "te\n', 2),
        ("t.sgml", "<top>\n<num> Number: 1\n<title> ship\n</top>\n<top>\n<num> Number: 2\n<title>\n</top>\n", 5),
    ],
)
def test_topics_without_text(inside, tmp_path, name, content, line):
    (tmp_path / name).write_text(content)
    says_one_line(retrieve(inside, "good.jsonl", topics=name), 3, rf"{re.escape(name)}:{line}: ")


def test_topics_of_nothing_but_stop_words_are_counted(inside, tmp_path):
    (tmp_path / "stop.tsv").write_text("q1\tthe of and\nq2\t?!\nq3\tship\n")
    code, out, err = retrieve(inside, "good.jsonl", topics="stop.tsv")
    assert code == 0 and docids(out, b"q3") and "2 of 3 topics match no document and are not in the run: q1, q2" in err


@pytest.fixture
def built(inside, tmp_path):
    """The folder of an index of the good documents."""
    code, _, err = retrieve(inside, "good.jsonl", "--index", "mine")
    assert code == 0, err
    return tmp_path / "mine"


def test_an_index_of_another_version(inside, built):
    manifest = json.loads((built / "manifest.json").read_text())
    for version in (99, None, "1"):
        (built / "manifest.json").write_text(json.dumps({**manifest, "format": version}))
        says_one_line(retrieve(inside, "good.jsonl", "--index", "mine"), 3, "mine/manifest.json: an index of format ")
    for content in (b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000):
        (built / "manifest.json").write_bytes(content)
        says_one_line(retrieve(inside, "good.jsonl", "--index", "mine"), 3, "mine/manifest.json: not a manifest")
    (built / "manifest.json").write_text(json.dumps({**manifest, "files": {}}))
    says_one_line(retrieve(inside, "good.jsonl", "--index", "mine"), 3, "mine/.*: the index is damaged")
    for name in manifest["files"]:
        (built / name).unlink()
    says_one_line(retrieve(inside, "good.jsonl", "--index", "mine"), 3, "mine/.*: the index is damaged")


def test_an_index_of_other_documents(inside, built, tmp_path):
    (tmp_path / "corpus.jsonl").write_bytes(jsonl(GOOD[:4]))
    says_one_line(
        retrieve(inside, "corpus.jsonl", "--index", "mine"), 3, "mine: the index was built from something else"
    )


def test_an_index_whose_files_are_cut_or_gone(inside, built, tmp_path):
    files = json.loads((built / "manifest.json").read_text())["files"]
    assert len(files) > 8
    for name in files:
        content = (built / name).read_bytes()
        for broken in (content[:-1], content[: len(content) // 2], b"", content + b"\0", None):
            (built / name).unlink()
            if broken is not None:
                (built / name).write_bytes(broken)
            says_one_line(retrieve(inside, "good.jsonl", "--index", "mine"), 3, rf"mine/{name}: the index is damaged")
            (built / name).write_bytes(content)
    assert retrieve(inside, "good.jsonl", "--index", "mine")[0] == 0
    # In the cache as well: what is damaged is said, and gone on without after it was removed as the hint says.
    retrieve(inside, "good.jsonl")
    (index,) = (path for path in (tmp_path / "cache/bm25").iterdir() if path.is_dir())
    (index / "terms.bin").unlink()
    says_one_line(retrieve(inside, "good.jsonl"), 3, ".*terms.bin: the index is damaged")
    shutil.rmtree(index)
    assert retrieve(inside, "good.jsonl")[0] == 0


def test_a_corpus_without_a_document_is_said(inside, tmp_path):
    (tmp_path / "nothing.jsonl").write_text("")
    code, out, err = retrieve(inside, "nothing.jsonl")
    assert (code, out) == (0, b"") and "warning: there are no documents to retrieve from" in err


def test_a_place_where_no_index_can_be(inside, tmp_path):
    (tmp_path / "file").write_text("dear")
    says_one_line(retrieve(inside, "good.jsonl", "--index", "file"), 1, "cannot write file: a file of that name")
    says_one_line(retrieve(inside, "good.jsonl", "--index", "file/below"), 1, "cannot write ")
    assert (tmp_path / "file").read_text() == "dear"
