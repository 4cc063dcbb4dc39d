"""Written runs read back as they were, in an order that every evaluator sees."""

from __future__ import annotations

import io
import json
import os
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.run import Ranking
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData, WrongUsage
from rerank_cli.formats.run_writer import RunWriter
from rerank_cli.formats.runs import RunStream, read_run

LARGEST = 3.4e38
score = st.one_of(st.floats(-LARGEST, LARGEST), st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, 0.1, 5e-324]))
identifier = st.binary(min_size=1, max_size=12).filter(
    lambda b: b.split() == [b] and b"\0" not in b and not b.startswith((b"#", b"\xef\xbb\xbf"))
)
ranking = st.builds(
    lambda qid, docs: Ranking.build(qid, list(docs), list(docs.values())),
    identifier,
    st.dictionaries(identifier, score, min_size=1, max_size=12),
)
word = st.text(min_size=1, max_size=8).filter(
    lambda t: len(t.encode("utf-8", "replace").split()) == 1 and "\0" not in t
)


@settings(deadline=None)
@given(st.lists(ranking, unique_by=lambda r: r.qid), word, st.sampled_from(["trec", "jsonl"]))
def test_what_is_written_reads_back(rankings: list[Ranking], tag: str, format: str) -> None:
    try:
        tag.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        tag = "tag"
    if tag.encode("utf-8", "surrogateescape").split() != [tag.encode("utf-8", "surrogateescape")]:
        tag = "tag"
    out = io.BytesIO()
    writer = RunWriter(out, tag, format)
    for one in rankings:
        writer.write(one)
    text = out.getvalue()
    streamed = RunStream(io.BytesIO(text), "x", format=format)
    back = [candidates.ranking for candidates in streamed]
    assert [r.qid for r in back] == [r.qid for r in rankings]
    moved = 0
    for was, now in zip(rankings, back, strict=True):
        assert now.docids.tolist() == was.docids.tolist()
        assert np.all(np.diff(now.scores.astype(np.float32).astype(np.float64)) < 0)
        assert now.scores[0] == was.scores[0]
        moved += int((now.scores != was.scores).sum())
    assert writer.steps >= moved
    if not any((np.diff(r.scores.astype(np.float32)) >= 0).any() for r in rankings):
        assert writer.steps == moved == 0
    assert streamed.tag == (tag if rankings else "rerank")
    whole = read_run(io.BytesIO(text), "x", format=format).run
    assert [r.docids.tolist() for r in whole] == [r.docids.tolist() for r in rankings]


def written(ranking: Ranking, tag: str, format: str = "trec", **texts: Any) -> bytes:
    """The lines of one ranking."""
    out = io.BytesIO()
    RunWriter(out, tag, format).write(ranking, **texts)
    return out.getvalue()


def test_the_six_columns() -> None:
    one = Ranking.build(b"q\xff", [b"d1", b"d2", b"d3"], [0.1, 1e-7, 1 / 3])
    assert written(one, "my-tag") == (
        b"q\xff Q0 d3 1 0.3333333333333333 my-tag\nq\xff Q0 d1 2 0.1 my-tag\nq\xff Q0 d2 3 1e-07 my-tag\n"
    )
    assert written(one, "t", "msmarco") == b"q\xff\td3\t1\nq\xff\td1\t2\nq\xff\td2\t3\n"


def test_ties_are_told_apart_in_the_order_given_and_counted() -> None:
    out = io.BytesIO()
    writer = RunWriter(out, "t")
    writer.write(Ranking(b"1", np.array([b"a", b"b", b"c"]), np.array([2.0, 2.0, 2.0])))
    writer.write(Ranking(b"2", np.array([b"a", b"b"]), np.array([2.0, 1.0])))
    assert writer.steps == 2
    scores = [line.split()[4] for line in out.getvalue().splitlines()]
    assert scores[0] == b"2.0"
    assert float(scores[0]) > float(scores[1]) > float(scores[2]) > 2.0 - 1e-6
    assert scores[3:] == [b"2.0", b"1.0"]


def test_an_empty_list_writes_nothing() -> None:
    for format in ("trec", "msmarco", "jsonl"):
        assert written(Ranking.build(b"1", [], []), "t", format) == b""


@pytest.mark.parametrize("format", ["trec", "msmarco"])
@pytest.mark.parametrize(("qid", "docids"), [(b"1", [b"a b"]), (b"1", [b"", b"a b"]), (b"", [b"a"]), (b"1\t", [b"a"])])
def test_ids_that_a_line_cannot_hold_are_refused(format: str, qid: bytes, docids: list[bytes]) -> None:
    with pytest.raises(BadData, match="is empty or holds a blank"):
        written(Ranking.build(qid, docids, range(len(docids))), "t", format)


def test_json_holds_ids_with_blanks() -> None:
    one = Ranking.build(b"my query", [b"a b", b"#"], [2.0, 1.0])
    (back,) = RunStream(io.BytesIO(written(one, "t", "jsonl")), "x")
    assert (back.ranking.qid, back.ranking.docids.tolist()) == (b"my query", [b"a b", b"#"])


def test_a_query_that_would_read_as_a_comment_is_refused() -> None:
    with pytest.raises(BadData, match="query #1 would be read as a comment"):
        written(Ranking.build(b"#1", [b"a"], [1.0]), "t")


@pytest.mark.parametrize("tag", ["", "two words", "a\tb", "a\n"])
def test_a_tag_is_one_word(tag: str) -> None:
    with pytest.raises(WrongUsage, match="the tag"):
        RunWriter(io.BytesIO(), tag)


def test_an_unknown_format_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match="no output format 'xml'"):
        written(Ranking.build(b"1", [b"a"], [1.0]), "t", "xml")


def test_scores_beyond_single_precision_are_refused_rather_than_written_as_infinite() -> None:
    with pytest.raises(BadData, match="32-bit float"):
        written(Ranking.build(b"1", [b"a", b"b"], [-1e300, -1e301]), "t")


def test_the_header_reads_back() -> None:
    out = io.BytesIO()
    writer = RunWriter(out, "t")
    facts = {"collection": "demo", "größe": [1, None]}
    writer.header(facts)
    writer.write(Ranking.build(b"1", [b"a"], [1.0]))
    assert out.getvalue().startswith(b"# rerank: {")
    run = RunStream(io.BytesIO(out.getvalue()), "x")
    assert run.header == facts
    assert len(list(run)) == 1
    assert read_run(io.BytesIO(out.getvalue()), "x").header == facts


def test_json_carries_the_texts_and_keeps_them() -> None:
    one = Ranking.build(b"7", [b"d1", b"d\xff"], [2.0, 1.0])
    documents = {b"d1": Document(b"d1", "Ein Titel", "Text\nüber zwei Zeilen"), b"d\xff": Document(b"d\xff", "", "x")}
    line = written(one, "t", "jsonl", query="wer?", documents=documents)
    assert line.count(b"\n") == 1
    record = json.loads(line)
    assert record["query"] == {"qid": "7", "text": "wer?"}
    assert record["candidates"][0] == {
        "docid": "d1",
        "score": 2.0,
        "doc": {"title": "Ein Titel", "text": "Text\nüber zwei Zeilen"},
    }
    (back,) = RunStream(io.BytesIO(line), "x")
    assert (back.query, back.documents) == ("wer?", documents)
    assert back.ranking.docids.tolist() == [b"d1", b"d\xff"]


def test_each_query_is_handed_on_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as pipe, os.fdopen(writing, "wb") as end:
        RunWriter(end, "t").write(Ranking.build(b"1", [b"a"], [1.0]))
        assert pipe.read(100) == b"1 Q0 a 1 1.0 t\n"


def test_writing_is_not_the_slow_part() -> None:
    """200,000 lines take as long as a plain loop that formats them; five times that would be a mistake."""
    scores = np.sort(np.random.default_rng(0).standard_normal(1000))[::-1]
    one = Ranking(b"q1", np.array([b"doc%07d" % n for n in range(1000)]), scores)
    writer, plain = RunWriter(io.BytesIO(), "t"), io.BytesIO()
    start = time.thread_time()
    for _ in range(200):
        writer.write(one)
    between = time.thread_time()
    for _ in range(200):
        for rank, (docid, score) in enumerate(zip(one.docids.tolist(), one.scores.tolist()), 1):
            plain.write(b"q1 Q0 %s %d %s t\n" % (docid, rank, repr(score).encode()))
    assert between - start < 5 * (time.thread_time() - between)
