"""Regular lines: what is cut out of the bytes is what `split` gives, or nothing is."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rerank_cli.errors import BadData
from rerank_cli.formats import qrels
from rerank_cli.formats.qrels import read_qrels
from rerank_cli.formats.regular import regular_lines

FIELD = st.text("ab#-0123456789.", min_size=1, max_size=19).map(str.encode)
BLANK = st.sampled_from([b" ", b" ", b" ", b"\t", b"  ", b" \t"])
END = st.sampled_from([b"\n", b"\n", b"\r\n", b" \n", b"\n\n", b"\n  "])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(FIELD, min_size=2, max_size=4), BLANK, END), min_size=1, max_size=6))
@example([([b"a", b"b", b"c"], b" ", b"\n"), ([b"a" * 19, b"b", b"-12"], b"\t", b"\r\n")])
def test_columns_are_what_split_gives(lines):
    text = b"".join(blank.join(fields) + end for fields, blank, end in lines)
    rows = [line.split() for line in text.split(b"\n") if line.strip()]
    found = regular_lines(text, fields=3)
    if found is None:
        assert any(len(row) != 3 for row in rows) or b"\n\n" in text or b"\n  " in text
        return
    assert all(len(row) == 3 for row in rows)
    for field in range(3):
        column = [row[field] for row in rows]
        assert found.ids(field).tolist() == found.texts(field, np.arange(len(rows))) == column
        names, lengths = found.stretches(field)
        assert [name for name, n in zip(names, lengths.tolist(), strict=True) for _ in range(n)] == column
        whole = found.whole_numbers(field)
        plain = all(value.lstrip(b"-").isdigit() and value.count(b"-") == value.startswith(b"-") for value in column)
        if plain and all(len(value.lstrip(b"-")) <= 9 for value in column):
            assert whole is not None and whole.tolist() == list(map(int, column))
        else:
            assert whole is None


@pytest.mark.parametrize("text", [b"a b\0 c\n", "a é c\n".encode(), b"a b c\nd e\n", b"a b c d\ne f\n", b"\n", b" \n"])
def test_what_is_not_certain_is_left_to_others(text):
    assert regular_lines(text, fields=3) is None


def judged_lines(header: bool, broken: bytes = b"") -> bytes:
    draw = random.Random(3)
    rows = [(b"q%d" % draw.randint(0, 9), b"d%d" % n, draw.randint(-2, 12)) for n in range(3000)]
    if header:
        lines = [b"query-id\tcorpus-id\tscore"] + [b"%b\t%b\t%d" % row for row in rows]
    else:
        lines = [b"%b 0 %b\t%d" % row for row in rows]
    return b"\r\n".join(lines[:2000] + [broken] * bool(broken) + lines[2000:])


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_many_judgements_are_read_as_few_are(monkeypatch, header, mark):
    text = mark + judged_lines(header)
    monkeypatch.setattr(qrels, "CHUNK", 4096)
    monkeypatch.setattr(qrels, "FAST_FROM", 1)
    fast = read_qrels(io.BytesIO(text), "q")
    assert qrels._regular(text) is not None
    monkeypatch.setattr(qrels, "FAST_FROM", 1 << 30)
    slow = read_qrels(io.BytesIO(text), "q")
    assert (fast.topics, fast.by_query) == (slow.topics, slow.by_query)
    for column in ("qids", "iterations", "docids", "grades"):
        assert getattr(fast, column).tolist() == getattr(slow, column).tolist()
    assert [fast.topics[n] for n in fast.topic_of] == fast.qids.tolist()


@pytest.mark.parametrize("broken", [b"q1 0 d1", b"q1 0 d1 x", b"q1 0 d1 1.5", b"q1 0 d1 1 1"])
def test_a_broken_line_among_many_is_named(monkeypatch, broken):
    monkeypatch.setattr(qrels, "FAST_FROM", 1)
    with pytest.raises(BadData, match=r"^q:2001: "):
        read_qrels(io.BytesIO(judged_lines(False, broken)), "q")


def test_comments_and_grades_with_a_point_are_read_line_by_line(monkeypatch):
    monkeypatch.setattr(qrels, "FAST_FROM", 1)
    read = read_qrels(io.BytesIO(judged_lines(False, b"# a remark of four\nq1 0 odd 1.0")), "q")
    assert len(read) == 3001 and read.by_query[b"q1"][b"odd"] == 1
