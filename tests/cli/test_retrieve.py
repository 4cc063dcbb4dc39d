"""`rerank retrieve` as a user meets it, on a small collection of its own."""

import json
import subprocess
import sys

import pytest
from waiting import PATIENCE, first_line

DOCUMENTS = {
    "d1": ("Ships", "a ship sails the sea"),
    "d2": ("", "ships and more ships"),
    "d3": ("Sea", "the sea is wide"),
    "d4": ("", "nothing of it"),
    "q1": ("", "a ship that is also a query"),
}
TOPICS = {"q2": "wide sea", "q1": "ship", "q9": "unheard-of", "q10": "sea ship"}


@pytest.fixture
def sea(tmp_path):
    folder = tmp_path / "sea"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": i, "title": title, "text": text} for i, (title, text) in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    topics = [{"_id": i, "text": text} for i, text in TOPICS.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(topic) + "\n" for topic in topics))
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\n")
    return folder


def lists(result):
    assert result.code == 0, result.err
    found = {}
    for line in result.lines:
        qid, q0, docid, rank, score, tag = line.split(" ")
        assert q0 == "Q0"
        found.setdefault(qid, []).append((docid, int(rank), float(score), tag))
    return found


def ids(result):
    return {qid: [row[0] for row in rows] for qid, rows in lists(result).items()}


def test_a_run_in_the_order_of_the_judged_topics(rerank, sea):
    done = rerank("retrieve", "-c", "sea")
    assert ids(done) == {"q2": ["d3", "d1"], "q1": ["d2", "d1", "q1"]}
    for rows in lists(done).values():
        assert [rank for _, rank, _, _ in rows] == list(range(1, len(rows) + 1))
        scores = [score for _, _, score, _ in rows]
        assert scores == sorted(set(scores), reverse=True)
        assert {tag for *_, tag in rows} == {"bm25"}
    assert "collection sea" in done.err
    assert "indexing 5 documents for BM25" in done.err
    again = rerank("retrieve", "-c", "sea")
    assert again.out == done.out
    assert "indexing" not in again.err


def test_all_topics_and_those_without_an_answer_are_counted(rerank, sea):
    done = rerank("retrieve", "-c", "sea", "--all-topics", "-q")
    assert list(ids(done)) == ["q2", "q1", "q10"]
    assert "1 of 4 topics match no document and are not in the run: q9" in done.err


def test_k_and_tag_and_exclude_self(rerank, sea):
    done = rerank("retrieve", "-c", "sea", "-k", "1", "--tag", "mine")
    assert ids(done) == {"q2": ["d3"], "q1": ["d2"]}
    assert lists(done)["q1"][0][3] == "mine"
    assert ids(rerank("retrieve", "-c", "sea", "--exclude-self"))["q1"] == ["d2", "d1"]
    assert ids(rerank("retrieve", "-c", "sea", "--exclude-self", "-k", "2"))["q1"] == ["d2", "d1"]


def test_topics_from_stdin_and_from_a_file(rerank, sea, tmp_path):
    (tmp_path / "own.tsv").write_text("z\tsea\na\tship\n")
    piped = rerank("retrieve", "-c", "sea", "--topics", "-", stdin=b"z\tsea\na\tship\n")
    assert list(ids(piped)) == ["z", "a"]
    assert rerank("retrieve", "-c", "sea", "--topics", "own.tsv").out == piped.out
    only_docs = rerank("retrieve", "--docs", "sea/corpus.jsonl", "--topics", "own.tsv")
    assert only_docs.out == piped.out


def test_parameters_need_no_other_index(rerank, sea):
    usual = rerank("retrieve", "-c", "sea")
    other = rerank("retrieve", "-c", "sea", "--k1", "1.2", "--b", "0.75")
    assert "indexing" not in other.err
    assert {row[:2] for row in lists(other)["q2"]} == {row[:2] for row in lists(usual)["q2"]}
    assert [row[2] for row in lists(other)["q2"]] != [row[2] for row in lists(usual)["q2"]]


def test_whitespace_does_not_stem(rerank, sea):
    assert ids(rerank("retrieve", "-c", "sea", "--analyzer", "whitespace"))["q1"] == ["d1", "q1"]


def test_a_variant_needs_no_other_index_and_is_in_the_header(rerank, sea):
    usual = rerank("retrieve", "-c", "sea", "--header")
    other = rerank("retrieve", "-c", "sea", "--variant", "bm25+", "--exact-lengths", "--header")
    assert "indexing" not in other.err
    assert other.lines[1:] != usual.lines[1:]
    facts = json.loads(other.lines[0].removeprefix("# rerank: "))
    assert (facts["variant"], facts["delta"], facts["lengths"]) == ("bm25+", 1.0, "exact")


def test_feedback_finds_what_shares_no_word_with_the_query(rerank, sea):
    (sea / "corpus.jsonl").open("a").write(
        "".join(
            json.dumps({"_id": f"x{n}", "title": "", "text": text}) + "\n"
            for n, text in enumerate(["harbour harbour", "harbour light", *(f"filler number{n}" for n in range(20))])
        )
    )
    plain = rerank("retrieve", "-c", "sea")
    assert "x1" not in ids(plain)["q1"]
    run = "q1 Q0 x0 1 3.5 reranked\nq1 Q0 d1 2 1.5 reranked\n"
    for way in ("--rm3", "--rocchio"):
        done = rerank("retrieve", "-c", "sea", "--feedback", "-", way, "--fb-docs", "1", stdin=run.encode())
        assert {"x0", "x1", "d1", "d2"} <= set(ids(done)["q1"])
        assert {row[3] for row in lists(done)["q1"]} == {f"bm25-{way[2:]}"}
        assert ids(done)["q2"] == ids(plain)["q2"]
        assert "1 of 2 topics are not in the feedback run" in done.err


def test_a_feedback_run_of_another_collection_is_refused(rerank, sea):
    run = b"q1 Q0 unknown 1 3.5 t\n"
    done = rerank("retrieve", "-c", "sea", "--feedback", "-", "--rm3", stdin=run)
    assert done.code == 3
    assert "document unknown, feedback for query q1, is not in the index" in done.err
    broken = rerank("retrieve", "-c", "sea", "--feedback", "-", "--rm3", stdin=b"q1 Q0 d1\n")
    assert (broken.code, broken.out) == (3, b"")
    assert "stdin:1" in broken.err


def test_feedback_through_the_pipe(shell, sea):
    """A reranked run, its header naming the collection, feeds a second retrieval."""
    reranked = "rerank retrieve -q -c sea --header | rerank fuse -q - sea.run -m rrf"
    once = shell("rerank retrieve -q -c sea > sea.run")
    assert once.code == 0, once.err
    done = shell(f"{reranked} | rerank retrieve -q -c sea --feedback - --rm3")
    assert set(ids(done)) == {"q1", "q2"}


def test_texts_can_travel_with_the_run(rerank, sea):
    done = rerank("retrieve", "-c", "sea", "--output-format", "jsonl")
    first = json.loads(done.lines[0])
    assert first["query"] == {"qid": "q2", "text": "wide sea"}
    assert first["candidates"][0]["docid"] == "d3"
    assert first["candidates"][0]["doc"] == {"title": "Sea", "text": "the sea is wide"}


def test_where_a_run_came_from(rerank, sea, tmp_path):
    done = rerank("retrieve", "-c", "sea", "--header", "-o", "out.run")
    assert done.code == 0, done.err
    header = (tmp_path / "out.run").read_text().splitlines()[0]
    facts = json.loads(header.removeprefix("# rerank: "))
    assert facts == json.loads((tmp_path / "out.run.json").read_text())
    assert (facts["collection"], facts["retriever"], facts["k1"], facts["topics"]) == ("sea", "bm25", 0.9, 2)


def test_an_index_in_a_folder_of_ones_own(rerank, sea, tmp_path):
    first = rerank("retrieve", "-c", "sea", "--index", "mine")
    assert (tmp_path / "mine/manifest.json").is_file()
    assert rerank("retrieve", "-c", "sea", "--index", "mine").out == first.out
    for changed in (["--doc-template", "{title}"], ["--analyzer", "whitespace"]):
        refused = rerank("retrieve", "-c", "sea", "--index", "mine", *changed)
        assert refused.code == 3
        assert "mine: the index was built from something else" in refused.err
        assert refused.out == b""
    with open(sea / "corpus.jsonl", "a") as corpus:
        corpus.write('{"_id": "d5", "title": "", "text": "a new ship"}\n')
    refused = rerank("retrieve", "-c", "sea", "--index", "mine")
    assert refused.code == 3
    assert "fingerprint" in refused.err
    assert "d5" in ids(rerank("retrieve", "-c", "sea"))["q1"]


def test_a_registered_collection_may_say_where_its_index_is(rerank, sea, tmp_path):
    (tmp_path / "rerank.toml").write_text(
        'collection = "water"\n[collections.water]\ndocs = "sea/corpus.jsonl"\ntopics = "sea/queries.jsonl"\nindex = "kept"\n'
    )
    done = rerank("retrieve", "-q")
    assert list(ids(done)) == ["q2", "q1", "q10"]
    assert (tmp_path / "kept/manifest.json").is_file()


def test_each_query_is_handed_on_when_it_is_done(environment, sea, tmp_path):
    """Topics of one corpus, a reader that takes the first line and goes: the rest is never computed."""
    many = "".join(f"t{n}\tship sea\n" for n in range(200_000))
    (tmp_path / "many.tsv").write_text(many)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "rerank_cli", "retrieve", "-q", "-c", "sea", "--topics", "many.tsv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as process:
        assert first_line(process).startswith(b"t0 Q0 ")
        process.stdout.close()
        assert process.wait(PATIENCE) == 141
        assert process.stderr.read() == b""


def test_no_topics_is_an_empty_run(rerank, sea):
    done = rerank("retrieve", "-c", "sea", "--topics", "-", stdin=b"")
    assert (done.code, done.out) == (0, b"")
    assert "no topics" in done.err


def test_a_document_that_comes_twice_stops_the_work(rerank, sea):
    with open(sea / "corpus.jsonl", "a") as corpus:
        corpus.write('{"_id": "d1", "title": "", "text": "again"}\n')
    done = rerank("retrieve", "-c", "sea")
    assert done.code == 3
    assert "d1" in done.err
    assert done.out == b""


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-m", "splade"], 4, "no model is called 'splade'"),
        (["--analyzer", "klingon"], 2, "the analyzers are english, whitespace, cjk, arabic"),
        (["--k1", "-1"], 2, "k1 is -1.0"),
        (["--b", "2"], 2, "b is 2.0"),
        (["-k", "0"], 2, "-k"),
        (["--variant", "bm26"], 2, "there is no BM25 variant 'bm26'"),
        (["--delta", "1"], 2, "the BM25 variant lucene has no delta"),
        (["--rm3", "--rocchio"], 2, "two ways of feedback"),
        (["--rm3", "--fb-weight", "2"], 2, "--fb-weight is 2.0"),
        (["--feedback", "x.run"], 2, "--feedback is for --rm3 and --rocchio and --prf"),
        (["--feedback", "x.run", "--rm3"], 4, "x.run"),
        (["--feedback", "-", "--rm3", "--topics", "-"], 2, "stdin can be one of topics, feedback and documents"),
        (["--topics", "no-such.tsv"], 4, "no-such.tsv"),
        (["--index", "sea"], 4, "sea is not an index"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(rerank, sea, arguments, code, says):
    done = rerank("retrieve", "-c", "sea", *arguments)
    assert done.code == code
    assert says in done.err
    assert "indexing" not in done.err
    assert done.out == b""


def test_the_retriever_may_be_set_in_the_environment(rerank, sea):
    done = rerank("retrieve", "-c", "sea", env={"RERANK_RETRIEVER": "monot5"})
    assert done.code == 2
    assert "RERANK_RETRIEVER" in done.err


def test_nothing_set_names_the_demo(rerank):
    done = rerank("retrieve")
    assert done.code == 4
    assert "-c demo" in done.err


def test_documents_may_come_on_stdin(rerank, tmp_path):
    (tmp_path / "docs.tsv").write_text("d1\tship\nd2\tsea and ship\n")
    (tmp_path / "topics.tsv").write_text("1\tship\n")
    named = rerank("retrieve", "--docs", "docs.tsv", "--topics", "topics.tsv")
    piped = rerank("retrieve", "--docs", "-", "--topics", "topics.tsv", stdin=(tmp_path / "docs.tsv").read_bytes())
    assert (piped.code, piped.out) == (0, named.out) and len(piped.lines) == 2
    both = rerank("retrieve", "--docs", "-", "--topics", "-", stdin=b"1\tship\n")
    assert both.code == 2 and "stdin can be one of topics, feedback and documents" in both.err
