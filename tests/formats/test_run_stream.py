"""Runs as they come: a block a query, at once, with what stands beside it."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_cli.core.candidates import Candidates
from rerank_cli.core.texts import Document
from rerank_cli.errors import BadData
from rerank_cli.formats.compression import decompressed, open_input
from rerank_cli.formats.runs import RunStream


def stream(text: bytes, **options: object) -> RunStream:
    return RunStream(io.BytesIO(text), "stdin", **options)  # type: ignore[arg-type]


def shown(candidates: Candidates) -> tuple[bytes, list[bytes], list[float]]:
    ranking = candidates.ranking
    return ranking.qid, ranking.docids.tolist(), ranking.scores.tolist()


def blocks(text: bytes, **options: object) -> list[tuple[bytes, list[bytes], list[float]]]:
    return [shown(candidates) for candidates in stream(text, **options)]


def test_blocks_are_sorted_by_score_then_docid() -> None:
    assert blocks(b"2 Q0 a 1 1 t\n2 Q0 b 2 3 t\n2 Q0 c 3 1.0 t\n1 Q0 z 9 -4 t") == [
        (b"2", [b"b", b"c", b"a"], [3.0, 1.0, 1.0]),
        (b"1", [b"z"], [-4.0]),
    ]


def test_ids_that_are_not_utf8_stay() -> None:
    assert blocks(b"\xff\xfe Q0 d\x80 1 1 t\n") == [(b"\xff\xfe", [b"d\x80"], [1.0])]


def test_a_block_comes_out_before_the_writer_closes() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as end:
        queries: Iterator[Candidates] = iter(RunStream(decompressed(pipe, "stdin"), "stdin"))
        end.write(b"0 Q0 d1 1 2 t\n")
        for qid in range(3):
            end.write(b"%d Q0 d2 2 1 t\n%d Q0 d1 1 2 t\n" % (qid, qid + 1))
            assert shown(next(queries)) == (b"%d" % qid, [b"d1", b"d2"], [2.0, 1.0])


def test_the_header_is_known_before_the_first_query_has_ended() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as end:
        end.write(b'# a remark\n# rerank: {"collection": "demo"}\n1 Q0 d 1 2 t\n')
        run = RunStream(decompressed(pipe, "stdin"), "stdin")
        assert run.header == {"collection": "demo"}
        end.close()
        assert [shown(c) for c in run] == [(b"1", [b"d"], [2.0])]


def test_of_several_headers_the_first_wins_and_the_tag_is_the_last() -> None:
    run = stream(b'# rerank: {"a": 1}\n1 Q0 d 1 2 first\n# rerank: {"a": 2}\n2 Q0 d 1 2 last\n')
    assert len(list(run)) == 2
    assert run.header == {"a": 1}
    assert run.tag == "last"


@pytest.mark.parametrize("text", [b"# rerank: {broken\n", b"# rerank: [1]\n"])
def test_a_broken_header_is_bad_data(text: bytes) -> None:
    with pytest.raises(BadData, match=r"^stdin:1: the header .* is not a JSON object"):
        _ = stream(text + b"1 Q0 d 1 2 t\n").header


def test_no_header_and_an_empty_run() -> None:
    run = stream(b"")
    assert run.header is None
    assert list(run) == []
    assert run.repairs == 0


def test_a_query_that_comes_again_needs_unordered() -> None:
    text = b"1 Q0 a 1 2 t\n2 Q0 a 1 2 t\n1 Q0 b 2 3 t\n"
    with pytest.raises(BadData, match=r"^stdin:3: query 1 comes again") as caught:
        blocks(text)
    assert "--unordered" in caught.value.hint
    assert blocks(text, unordered=True) == [(b"1", [b"b", b"a"], [3.0, 2.0]), (b"2", [b"a"], [2.0])]


def test_the_good_query_before_a_bad_line_is_given() -> None:
    queries = iter(stream(b"1 Q0 a 1 2 t\n2 Q0 a 1 2 t\n2 Q0 b 1\n"))
    assert shown(next(queries))[0] == b"1"
    with pytest.raises(BadData, match=r"^stdin:3: 4 fields"):
        next(queries)


@pytest.mark.parametrize("unordered", [False, True])
def test_doubled_documents(unordered: bool) -> None:
    text = b"# c\n1 Q0 a 1 2 t\n\n1 Q0 b 1 1.5 t\n1 Q0 a 2 3 t\n1 Q0 a 2 1 t\n2 Q0 a 2 1 t\n"
    with pytest.raises(BadData, match=r"^stdin:5: document a appears twice for query 1$"):
        blocks(text, unordered=unordered)
    run = stream(text, lenient=True, unordered=unordered)
    assert [shown(c) for c in run] == [(b"1", [b"a", b"b"], [3.0, 1.5]), (b"2", [b"a"], [1.0])]
    assert run.repairs == 2


def test_lenient_counts_and_says_nothing_of_good_lines() -> None:
    run = stream(b"1 Q0 a 1 nan t\n1 Q0 b\n1 Q0 c 1 2 t more words\n1 Q0 d 2 1 t\n", format="trec", lenient=True)
    assert [shown(c) for c in run] == [(b"1", [b"c", b"d"], [2.0, 1.0])]
    assert run.repairs == 3


def test_a_docid_with_a_blank_is_not_taken_for_junk_at_the_end() -> None:
    run = stream(b"1 Q0 my doc 1 2.5 t\n", lenient=True)
    assert list(run) == []
    assert run.repairs == 1


def test_top1000_carries_its_texts() -> None:
    (candidates,) = stream("7\td1\twho is it\tone\n7\td2\twho is it\tzwei ü\tand a tab\r\n".encode())
    assert shown(candidates) == (b"7", [b"d1", b"d2"], [1.0, 0.5])
    assert candidates.query == "who is it"
    assert candidates.documents == {b"d1": Document(b"d1", "", "one"), b"d2": Document(b"d2", "", "zwei ü\tand a tab")}


def test_a_text_that_is_not_utf8_is_said() -> None:
    text = b"7\td1\twho\tcaf\xe9\n"
    with pytest.raises(BadData, match=r"^stdin:1: the text is not UTF-8"):
        blocks(text)
    run = stream(text, lenient=True)
    assert [shown(c)[1] for c in run] == [[b"d1"]]
    assert run.repairs == 1


def test_top1000_whose_words_make_six_fields() -> None:
    (candidates,) = stream(b"7\td1\twho is\tthe king\n")
    assert candidates.query == "who is"
    (candidates,) = stream(b"7\tQ0\td1\t1 2.5 tag\n")
    assert shown(candidates) == (b"7", [b"d1"], [2.5])


def test_rank_llms_requests() -> None:
    records = [
        {
            "query": {"text": "who", "qid": 264014},
            "candidates": [
                {"docid": "d1", "score": 14.5, "doc": {"contents": "one"}},
                {"docid": 2, "score": 15, "doc": {"title": "T", "segment": "two", "url": "u"}},
                {"docid": "d3", "score": 1.5, "doc": "three"},
            ],
        },
        {"query": {"text": "what", "qid": "8"}, "candidates": [{"docid": "d1", "score": 1.0}]},
    ]
    first, second = stream("\n".join(map(json.dumps, records)).encode())
    assert shown(first) == (b"264014", [b"2", b"d1", b"d3"], [15.0, 14.5, 1.5])
    assert first.query == "who"
    assert first.documents == {
        b"d1": Document(b"d1", "", "one"),
        b"2": Document(b"2", "T", "two"),
        b"d3": Document(b"d3", "", "three"),
    }
    assert (second.query, second.documents) == ("what", None)


def test_a_whole_query_on_a_line_is_given_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb", buffering=0) as end:
        end.write(b'{"query": {"qid": "1", "text": "t"}, "candidates": [{"docid": "d", "score": 1}]}\n')
        assert shown(next(iter(RunStream(decompressed(pipe, "stdin"), "stdin")))) == (b"1", [b"d"], [1.0])


def test_flat_json_lines() -> None:
    first, second = stream(
        b'{"qid": "1", "docid": "a", "score": 2, "query": "who", "title": "T", "text": "x \\"candidates\\""}\n'
        b'{"qid": "1", "docid": "b", "score": 3.5, "query": "who", "text": "y"}\n'
        b'{"qid": "2", "docid": "b", "score": 1}\n'
    )
    assert shown(first) == (b"1", [b"b", b"a"], [3.5, 2.0])
    assert first.query == "who"
    assert first.documents == {b"a": Document(b"a", "T", 'x "candidates"'), b"b": Document(b"b", "", "y")}
    assert (second.query, second.documents) == (None, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"qid": "1", "docid": "a", "score": 2', "not JSON"),
        (b'{"qid": "1", "docid": "a"}', "the score None of document a is not a finite number"),
        (b'{"qid": "1", "docid": "a", "score": NaN}', "the score nan of document a"),
        (b'{"qid": "1", "docid": "a", "score": true}', "the score True of document a"),
        (b'{"qid": "1", "docid": "a", "score": "2"}', "the score '2' of document a"),
        (b'{"qid": "1", "docid": "a", "score": 1' + b"0" * 400 + b"}", "of document a is not a finite number"),
        (b'{"qid": "1", "score": 2}', "qid or docid is absent"),
        (b'{"qid": "", "docid": "a", "score": 2}', "an id is empty"),
        (b'{"qid": "1", "docid": "a\\u0000", "score": 2}', "an id holds a NUL byte"),
        (b'{"qid": "1", "docid": "\\ud800", "score": 2}', "qid or docid is absent"),
        (b'{"query": 3, "candidates": []}', "query or candidates is not what it should be"),
        (b'{"query": {"qid": "1"}, "candidates": [7]}', "a candidate is '7', not an object"),
        (b"[1]", "a JSON object is expected"),
        (b"1 Q0 d 1 2 t", "not JSON"),
    ],
)
def test_bad_json_lines(line: bytes, message: str) -> None:
    good = b'{"qid": "0", "docid": "a", "score": 2}\n'
    with pytest.raises(BadData) as caught:
        blocks(good + line)
    assert caught.value.message.startswith("stdin:2: ")
    assert message in caught.value.message
    run = stream(good + line, lenient=True)
    assert [shown(c)[0] for c in run] == [b"0"]
    assert run.repairs == 1


def test_lenient_keeps_the_good_candidates_of_a_query() -> None:
    run = stream(b'{"query": {"qid": "1"}, "candidates": [{"docid": "a"}, {"docid": "b", "score": 1}]}', lenient=True)
    assert [shown(c) for c in run] == [(b"1", [b"b"], [1.0])]
    assert run.repairs == 1


def test_a_fifo_is_as_good_as_a_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(b"1 Q0 d 1 2 t\n"))
    writer.start()
    with open_input(str(fifo)) as source:
        assert [shown(c) for c in RunStream(source, str(fifo))] == [(b"1", [b"d"], [2.0])]
    writer.join()


def test_a_cut_gzip_ends_in_bad_data_behind_the_good_queries() -> None:
    import gzip
    import random

    lines = b"".join(b"%d Q0 d%d 1 2 t\n" % (q, random.randrange(10**9)) for q in range(20_000))
    packed = gzip.compress(lines)
    queries = iter(RunStream(decompressed(io.BytesIO(packed[: len(packed) // 2]), "stdin"), "stdin"))
    assert shown(next(queries))[0] == b"0"
    with pytest.raises(BadData, match=r"^stdin: the compressed data ends too early"):
        list(queries)


@pytest.mark.parametrize(
    "line",
    [
        b'{"query_id": "q1", "id": "doc#3", "score": 0.5, "content": "x"}',
        b'{"qid": "q1", "_id": "doc#3", "score": 0.5, "text": "x"}',
        b'{"qid": "q1", "id": 7, "docid": "doc#3", "score": 0.5, "body": "x"}',
        b'{"query": {"query_id": "q1", "text": "t"}, "candidates": [{"doc_id": "doc#3", "score": 0.5, "doc": "x"}]}',
    ],
)
def test_ids_under_the_names_that_vector_databases_give_them(line: bytes) -> None:
    (candidates,) = stream(line + b"\n")
    assert shown(candidates) == (b"q1", [b"doc#3"], [0.5])
    assert candidates.documents == {b"doc#3": Document(b"doc#3", "", "x")}


def test_a_line_without_ids_is_told_which_fields_it_has() -> None:
    with pytest.raises(BadData) as raised:
        blocks(b'{"qid": "q1", "chunk": "c3", "score": 1}\n')
    assert "the fields here are qid, chunk, score" in raised.value.hint
