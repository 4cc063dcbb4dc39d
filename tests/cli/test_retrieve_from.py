"""`rerank retrieve --from` through the whole program: other people's engines on loopback, no corpus of our own."""

import json
import os

import pytest
from inference.loopback import Loopback, Reply
from retrieval.engines_on_loopback import Elasticsearch, QdrantCollection, VespaApplication

from rerank_cli.cli.main import main

TOPICS = "q2\twide sea\nq1\tship\nq9\tunheard-of\n"


@pytest.fixture
def topics(tmp_path):
    (tmp_path / "own.tsv").write_text(TOPICS)
    return "own.tsv"


def at(kind, server, target="/sea"):
    return f"{kind}+{server.url}{target}"


def test_a_run_from_an_engine_and_topics_alone(rerank, topics):
    with Loopback(Elasticsearch()) as server:
        done = rerank("retrieve", "--from", at("opensearch", server), "--topics", topics, "--header")
        piped = rerank("retrieve", "--from", at("opensearch", server), "--topics", "-", stdin=TOPICS.encode())
    assert done.code == 0, done.err
    assert "sea of opensearch at http://127.0.0.1" in done.err
    assert "1 of 3 topics match no document and are not in the run: q9" in done.err
    facts = json.loads(done.lines[0].removeprefix("# rerank: "))
    assert (facts["retriever"], facts["index"], facts["from"], facts["k"]) == ("opensearch", "sea", server.url, 1000)
    assert done.lines[1:] == piped.lines
    rows = [line.split() for line in piped.lines]
    assert [(row[0], row[2], row[5]) for row in rows] == [
        *(("q2", docid, "opensearch") for docid in ("d3", "d4", "d1")),
        *(("q1", docid, "opensearch") for docid in ("d4", "d1")),
    ]


def test_texts_come_with_the_run_and_the_next_stage_needs_no_collection(shell, topics):
    with Loopback(VespaApplication()) as server:
        line = f"rerank retrieve --from {at('vespa', server, '')} --topics {topics} --output-format jsonl"
        done = shell(
            f"{line} --engine-fields title,text > found.jsonl && rerank rerank found.jsonl -m minilm | cut -d' ' -f1-3"
        )
    assert done.code == 0, done.err
    assert {line.split()[0] for line in done.lines} == {"q1", "q2"} and len(done.lines) == 5


def test_the_texts_in_the_lines(rerank, topics):
    with Loopback(Elasticsearch()) as server:
        where = ["retrieve", "--from", at("elastic", server), "--topics", topics, "--output-format", "jsonl"]
        done = rerank(*where, "--engine-fields", "title,text", "-k", "1")
        bare = rerank(*where, "-k", "1")
        mistyped = rerank(*where, "--engine-fields", "name,text", "-k", "3")
    with Loopback(VespaApplication()) as server:
        where = ["retrieve", "--from", at("vespa", server, ""), "--topics", topics, "--output-format", "jsonl"]
        empty = rerank(*where, "--engine-fields", "name", "-k", "2")
    first = json.loads(done.lines[0])
    assert first["query"] == {"qid": "q2", "text": "wide sea"}
    assert first["candidates"][0]["doc"] == {"title": "Sea", "text": "the sea is wide"}
    # No empty text is passed off as a document's.
    assert "doc" not in json.loads(bare.lines[0])["candidates"][0]
    assert "hits have no text" not in done.err
    assert mistyped.code == 1 and "sea has no field name that can be searched" in mistyped.err
    assert empty.code == 0 and "4 of 4 hits have no text in name" in empty.err


def test_topics_of_a_collection_whose_documents_are_not_opened(rerank, tmp_path):
    (tmp_path / "col").mkdir()
    (tmp_path / "col/queries.jsonl").write_text('{"_id": "q1", "text": "ship"}\n')
    with Loopback(VespaApplication()) as server:
        done = rerank("retrieve", "-c", "col", "--all-topics", "--from", at("vespa", server, "/passage"))
    assert (done.code, [line.split()[2] for line in done.lines]) == (0, ["d4", "d1"]), done.err


def test_qdrant_is_searched_with_the_queries_vectors(rerank, topics):
    with Loopback(QdrantCollection({n: [float(n), *[0.0] * 383] for n in (1, 2, 3, 4)})) as server:
        done = rerank("retrieve", "--from", at("qdrant", server), "--topics", topics, "-m", "minilm", "-k", "2")
        asked = server.seen[0].json["searches"]
        refused = rerank("retrieve", "--from", at("qdrant", server), "--topics", topics)
    assert done.code == 0, done.err
    assert len(done.lines) == 6 and len(asked) == 3
    assert sum(number**2 for number in asked[0]["query"]) == pytest.approx(1.0, abs=1e-5)
    assert refused.code == 2 and "Qdrant searches by vectors" in refused.err


def test_a_key_comes_from_the_environment_and_is_never_shown(rerank, topics):
    key = "sk-very-secret-0123456789"
    with Loopback(Elasticsearch(authorization=f"ApiKey {key}")) as server:
        where = ["retrieve", "--from", at("elastic", server), "--topics", topics]
        done = rerank(*where, "--api-key-env", "MINE", "--header", "-v", env={"MINE": key})
        refused = rerank(*where)
        unset = rerank(*where, "--api-key-env", "MINE")
    assert done.code == 0 and key not in done.text + done.err
    assert refused.code == 1 and "401" in refused.err and "--api-key-env" in refused.err
    assert unset.code == 4 and refused.out == unset.out == b""


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--from", "solr+http://h/x"], 2, "--from names no engine that is known"),
        (["--from", "elastic+http://h"], 2, "names no index"),
        (["--from", "elastic+http://h/x", "-m", "bm25"], 2, "elastic ranks by itself"),
        (["--from", "elastic+http://h/x", "--rank-profile", "bm25"], 2, "--rank-profile is for vespa"),
        (["--from", "vespa+http://h", "--vector-name", "v"], 2, "--vector-name is for qdrant"),
        (["--from", "vespa+http://h", "--engine-fields", "a,b,c"], 2, "one or two fields"),
        (["--from", "elastic+http://h/x", "--index", "mine"], 2, "--index is not for --from"),
        (["--engine-fields", "title,text"], 2, "--engine-fields is for another engine"),
        (["--from", "elastic+http://h/x", "--topics", "absent.tsv"], 4, "absent.tsv"),
    ],
)
def test_mistakes(arguments, code, says, topics, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RERANK_COLLECTION", raising=False)
    # The program leaves at once when a thread is still busy, as that of a test's server may be.
    monkeypatch.setattr(os, "_exit", int)
    assert main(["retrieve", "--topics", topics, *arguments]) == code
    out, err = capsys.readouterr()
    assert says in err and "hint: " in err and not out


def test_an_engine_that_breaks_in_the_middle_leaves_the_old_file(rerank, tmp_path):
    (tmp_path / "old.run").write_text("the old one\n")
    (tmp_path / "own.tsv").write_text("".join(f"q{n}\tship\n" for n in range(200)))
    inner = Elasticsearch()

    def breaking(seen):
        return inner(seen) if seen.number < 3 else Reply({"error": {"reason": "disk is gone"}, "status": 403}, 403)

    with Loopback(breaking) as server:
        done = rerank("retrieve", "--from", at("elastic", server), "--topics", "own.tsv", "-o", "old.run")
    assert (done.code, done.out) == (1, b"") and "answered 403 (disk is gone)" in done.err
    assert (tmp_path / "old.run").read_text() == "the old one\n"
