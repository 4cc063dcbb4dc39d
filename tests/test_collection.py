"""What `-c` and the overrides stand for, and what is said when a part is missing."""

import gzip
import os
from pathlib import Path

import pytest

from rerank_cli.collection import Collection, Overrides, open_collection
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, Missing, WrongUsage

CORPUS = '{"_id": "d1", "title": "One", "text": "first"}\n{"_id": "d2", "title": "", "text": "second"}\n'
QUERIES = "".join(f'{{"_id": "{qid}", "text": "about {qid}"}}\n' for qid in ("q3", "q1", "q2"))
TEST = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq3\td2\t2\n"
DEV = "query-id\tcorpus-id\tscore\nq2\td2\t1\n"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with the BEIR folder `beir` in it."""
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(CORPUS)
    (folder / "queries.jsonl").write_text(QUERIES)
    (folder / "qrels" / "test.tsv").write_text(TEST)
    (folder / "qrels" / "dev.tsv").write_text(DEV)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(name, registered=None, note=lambda text: None, **overrides) -> Collection:
    return open_collection(
        name, Overrides(**overrides), registered=registered or {}, cache_dir=Path("cache"), note=note
    )


@pytest.mark.parametrize("name", ["beir", "./beir", "beir/"])
def test_a_beir_folder(here, name):
    collection = opened(name)
    assert collection.topics() == {b"q3": "about q3", b"q1": "about q1"}
    assert list(collection.topics()) == [b"q3", b"q1"]
    assert collection.qrels().by_query == {b"q1": {b"d1": 1}, b"q3": {b"d2": 2}}
    assert collection.documents().lookup([b"d2", b"d1"]) == [
        Document(b"d2", "", "second"),
        Document(b"d1", "One", "first"),
    ]
    assert collection.doc_template == "{title} {text}"
    assert "beir" in collection.description() and "\n" not in collection.description()


def test_the_working_directory_itself(here, monkeypatch):
    monkeypatch.chdir("beir")
    assert list(opened(".").topics()) == [b"q3", b"q1"]
    with pytest.raises(Missing, match=r"qrels/train\.tsv"):
        opened(".", split="train").qrels()


def test_splits_and_all_topics(here):
    assert list(opened("beir", split="dev").topics()) == [b"q2"]
    assert list(opened("beir", all_topics=True).topics()) == [b"q3", b"q1", b"q2"]


def test_all_topics_need_no_judgements(here):
    (here / "beir" / "qrels" / "test.tsv").unlink()
    assert len(opened("beir", all_topics=True).topics()) == 3
    with pytest.raises(Missing, match=r"qrels/test\.tsv") as error:
        opened("beir").topics()
    assert "dev" in error.value.hint and "--all-topics" in error.value.hint


def test_compressed_parts(here):
    for part in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        path = here / "beir" / part
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    collection = opened("beir")
    assert len(collection.topics()) == 2
    assert [d.docid for d in collection.documents()] == [b"d1", b"d2"]


def test_topics_and_judgements_do_not_touch_the_corpus(here):
    (here / "beir" / "corpus.jsonl").write_text("this is no corpus\n")
    collection = opened("beir")
    assert len(collection.topics()) == 2 and len(collection.qrels()) == 2
    assert not Path("cache").exists()
    with pytest.raises(BadData, match=r"corpus\.jsonl:1"):
        collection.documents()


@pytest.mark.parametrize(
    ("part", "file"), [("topics", "queries.jsonl"), ("qrels", "qrels/test.tsv"), ("documents", "corpus.jsonl")]
)
def test_a_missing_part_is_named(here, part, file):
    (here / "beir" / file).unlink()
    with pytest.raises(Missing) as error:
        getattr(opened("beir"), part)()
    assert f"beir/{file}" in error.value.message


def test_judged_topics_without_text_are_counted(here):
    (here / "beir" / "qrels" / "test.tsv").write_text(TEST + "q9\td1\t1\n")
    said: list[str] = []
    assert len(opened("beir", note=said.append).topics()) == 2
    assert len(said) == 1 and "1 judged topics" in said[0]


def test_overrides_replace_one_part_each(here):
    (here / "t.tsv").write_text("x\tother\n")
    (here / "q.trec").write_text("x 0 d1 3\n")
    (here / "d.tsv").write_text("d1\tother text\n")
    assert opened("beir", topics="t.tsv").topics() == {b"x": "other"}
    assert opened("beir", topics="t.tsv").qrels().by_query == {b"q1": {b"d1": 1}, b"q3": {b"d2": 2}}
    assert opened("beir", qrels="q.trec").qrels().by_query == {b"x": {b"d1": 3}}
    assert list(opened("beir", docs=("d.tsv",)).documents()) == [Document(b"d1", "", "other text")]
    assert "t.tsv" in opened("beir", topics="t.tsv").description()


def test_overrides_stand_alone(here):
    collection = opened(None, docs=("beir/corpus.jsonl",), topics="beir/queries.jsonl")
    assert len(collection.topics()) == 3
    assert len(collection.documents()) == 2
    with pytest.raises(Missing, match="no judgements") as error:
        collection.qrels()
    assert "--qrels" in error.value.hint


def test_nothing_named_points_to_the_demo(here):
    with pytest.raises(Missing) as error:
        opened(None)
    assert "-c demo" in error.value.hint


def test_an_unknown_name_lists_the_known(here):
    with pytest.raises(Missing, match="mistyped") as error:
        opened("mistyped", {"papers": ({}, here)})
    assert "demo" in error.value.hint and "papers" in error.value.hint


def test_a_file_is_no_collection(here):
    with pytest.raises(Missing) as error:
        opened("beir/corpus.jsonl")
    assert "--docs" in error.value.hint


@pytest.mark.parametrize("name", ["demo", "papers"])
def test_a_name_that_is_also_a_folder(here, name):
    (here / "beir").rename(here / name)
    registered = {"papers": ({"docs": "x.tsv"}, here)}
    with pytest.raises(WrongUsage) as error:
        opened(name, registered)
    assert f"./{name}" in error.value.hint
    assert len(opened(f"./{name}", registered).topics()) == 2


def test_a_registered_collection(here, monkeypatch):
    table = {
        "docs": ["beir/corpus.jsonl"],
        "topics": "beir/queries.jsonl",
        "qrels": "beir/qrels/dev.tsv",
        "index": "idx",
        "rel": 2,
        "doc_template": "{title}. {text}",
        "instruction": "Find it.",
    }
    (here / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    collection = opened("papers", {"papers": (table, here)})
    assert list(collection.topics()) == [b"q3", b"q1", b"q2"]
    assert collection.qrels().topics == (b"q2",)
    assert len(collection.documents()) == 2
    assert (collection.rel, collection.index, collection.doc_template) == (2, here / "idx", "{title}. {text}")
    assert collection.instruction == "Find it."
    assert opened("papers", {"papers": (table, here)}, doc_template="{text}").doc_template == "{text}"


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ({"docss": "x"}, "no key docss"),
        ({"docs": 5}, "docs is 5"),
        ({"docs": ["a", 5]}, "not a string or a list"),
        ({"topics": ["a"]}, "topics is"),
        ({"rel": "2"}, "rel is '2'"),
        ({"rel": True}, "rel is True"),
    ],
)
def test_a_bad_table_is_refused(here, table, what):
    with pytest.raises(BadData, match=what) as error:
        opened("papers", {"papers": (table, here)})
    assert error.value.message.startswith("[collections.papers]: ")


def test_a_template_without_fields_is_refused(here):
    with pytest.raises(WrongUsage, match="contents"):
        opened("beir", doc_template="{contents}")


def test_topic_fields(here):
    (here / "t.trec").write_text("<top>\n<num> Number: 1\n<title> a\n<desc> Description:\nb\n</top>\n")
    assert opened(None, topics="t.trec", topic_fields=("title", "desc")).topics() == {b"1": "a b"}


def test_the_fingerprint_is_the_documents(here):
    before = opened("beir").fingerprint()
    assert opened("beir", split="dev").fingerprint() == before
    (here / "beir").rename(here / "moved")
    assert opened("moved").fingerprint() == before
    (here / "moved" / "corpus.jsonl").write_text(CORPUS.replace("second", "changed"))
    assert opened("moved").fingerprint() != before


def test_the_fingerprint_of_topics_is_that_of_ids_and_texts(here):
    (here / "t.tsv").write_text("1\tab c\n2\td\n")
    before = opened("beir", topics="t.tsv").topics_fingerprint()
    (here / "t.jsonl").write_text('{"_id": "1", "text": "ab c"}\n{"_id": "2", "text": "d"}\n')
    assert opened("beir", topics="t.jsonl").topics_fingerprint() == before
    for other in ("1\tab\n2\tc d\n", "1\tab c\n3\td\n", "1\tab c\n", "1\tab c\n2\td\n3\te\n"):
        (here / "t.tsv").write_text(other)
        assert opened("beir", topics="t.tsv").topics_fingerprint() != before


def test_the_demo_ships_with_the_package(here):
    import rerank_cli

    if not (Path(rerank_cli.__file__).parent / "demo").is_dir():
        pytest.skip("the demo collection is not there yet")
    collection = opened("demo")
    documents = collection.documents()
    assert len(collection.topics()) >= 40
    assert set(collection.topics()) <= set(collection.qrels().topics)
    judged = sorted({bytes(docid) for docid in collection.qrels().docids.tolist()})
    assert None not in documents.lookup(judged)


@pytest.mark.data
@pytest.mark.skipif("RERANK_TEST_DATA" not in os.environ, reason="RERANK_TEST_DATA is not set")
@pytest.mark.parametrize(("name", "topics", "judgements"), [("scifact", 300, 339), ("cranfield", 225, 1837)])
def test_real_collections(here, name, topics, judgements):
    collection = opened(str(Path(os.environ["RERANK_TEST_DATA"]) / name))
    assert (len(collection.topics()), len(collection.qrels())) == (topics, judgements)
    judged = sorted({bytes(docid) for docid in collection.qrels().docids.tolist()})
    found = collection.documents().lookup(judged)
    assert [document.docid for document in found if document is not None] == judged
