"""Judgements read from TREC and BEIR files, and the lines that are refused."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.qrels import Qrels
from rerank_cli.errors import BadData
from rerank_cli.formats.compression import open_input
from rerank_cli.formats.qrels import read_qrels

DATA = os.environ.get("RERANK_TEST_DATA")
needs_data = [
    pytest.mark.data,
    pytest.mark.skipif(DATA is None, reason="RERANK_TEST_DATA does not point to the real collections"),
]


def read(text: bytes) -> Qrels:
    return read_qrels(io.BytesIO(text), "q.txt")


def rows(qrels: Qrels) -> list[tuple[bytes, bytes, bytes, int]]:
    return list(
        zip(
            qrels.qids.tolist(),
            qrels.iterations.tolist(),
            qrels.docids.tolist(),
            qrels.grades.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize(
    "text",
    [
        b"301 0 CR#93E 1\n302 2 d -1\n",
        b"301\t0\tCR#93E\t1\n302\t2\td\t-1",
        b"\xef\xbb\xbf301  0 \tCR#93E 1 \t\r\n\r\n302 2 d -1\r\n",
        b"# judged by hand\n301 0 CR#93E 1\n\n#302 0 x 1\n302 2 d -1\n",
        b"301 0 CR#93E 1.0\n 302 2 d -1\n",
    ],
)
def test_the_same_judgements_in_many_spellings(text: bytes) -> None:
    assert rows(read(text)) == [(b"301", b"0", b"CR#93E", 1), (b"302", b"2", b"d", -1)]


def test_beir_with_its_header() -> None:
    assert rows(read(b"query-id\tcorpus-id\tscore\n1\t31715818\t2\n")) == [(b"1", b"0", b"31715818", 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1 0 d 1\n1 0 d\n", "q.txt:2: 3 fields, where judgements have 4"),
        (b"1 0 d 1\n# c\n\n1 0 d 1 x\n", "q.txt:4: 5 fields, where judgements have 4"),
        (b"1 0 d relevant\n", "q.txt:1: the grade 'relevant' is not a whole number"),
        (b"1 0 d 0.5\n", "q.txt:1: the grade '0.5' is not a whole number"),
        (b"1 0 d nan\n", "q.txt:1: the grade 'nan' is not a whole number"),
        (b"1 0 d 1_0\n", "q.txt:1: the grade '1_0' is not a whole number"),
        (b"1 0 d inf\n", "q.txt:1: the grade 'inf' is not a whole number"),
        (b"1 d 1\n", "q.txt:1: 3 fields, where judgements have 4"),
        (b"query-id\tcorpus-id\tscore\n1 0 d 1\n", "q.txt:2: 4 fields, where judgements below a header have 3"),
        (b"1 0 d\0x 1\n", "q.txt:1: an id holds a NUL byte"),
        (b"", "q.txt: no judgements in this file"),
        (b"# nothing\n\n", "q.txt: no judgements in this file"),
    ],
)
def test_bad_lines_are_named(text: bytes, message: str) -> None:
    with pytest.raises(BadData) as caught:
        read(text)
    assert caught.value.message == message
    assert caught.value.hint


identifier = st.binary(min_size=1, max_size=12).filter(lambda b: b.split() == [b] and b"\0" not in b and b[:1] != b"#")


@given(st.lists(st.tuples(identifier, identifier, identifier, st.integers(-(10**6), 10**6)), min_size=1))
def test_what_is_written_is_read(judgements: list[tuple[bytes, bytes, bytes, int]]) -> None:
    text = b"".join(b"\n%b %b\t%b %d" % judgement for judgement in judgements)
    assert rows(read(text)) == judgements


@pytest.mark.parametrize(
    ("name", "judgements", "relevant"),
    [
        pytest.param("oracles/trec_eval/qrels.test", 3681, None, marks=needs_data),
        pytest.param("oracles/trec_eval/qrels.comment.test", 5890, None, marks=needs_data),
        pytest.param("oracles/trectools/qrel1.txt", 30, None, marks=needs_data),
        pytest.param("oracles/ranx/qrels.trec.gz", 5, 5, marks=needs_data),
        pytest.param("cranfield/qrels.trec", 1837, 1612, marks=needs_data),
        pytest.param("cranfield/qrels/test.tsv", 1837, 1612, marks=needs_data),
        pytest.param("scifact/qrels/test.tsv", 339, 339, marks=needs_data),
        pytest.param("dl19-passage/qrels.trec", 9260, 9260 - 5158, marks=needs_data),
    ],
)
def test_real_files(name: str, judgements: int, relevant: int | None) -> None:
    path = str(Path(DATA or "") / name)
    with open_input(path) as stream:
        qrels = read_qrels(stream, path)
    assert len(qrels) == judgements
    if relevant is not None:
        assert int((qrels.grades > 0).sum()) == relevant


@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="RERANK_TEST_DATA does not point to the real collections")
def test_comments_change_nothing() -> None:
    folder = Path(DATA or "") / "oracles" / "trec_eval"
    with_comments = (folder / "qrels.test.with-comments").read_bytes()
    kept = [line for line in with_comments.splitlines(keepends=True) if not line.startswith(b"#")]
    assert rows(read(with_comments)) == rows(read(b"".join(kept)))
    assert len(kept) == 3681
    assert any(b"#" in docid for _, _, docid, _ in rows(read(with_comments)))
