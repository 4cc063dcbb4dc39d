"""Run and Ranking: trec_eval's order, whatever the input's, and no row lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_cli.core.ids import id_array
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import BadRow

rows = st.lists(
    st.tuples(
        st.sampled_from([b"q1", b"q2", b"\xffq"]),
        st.binary(min_size=1, max_size=3).filter(lambda b: b"\0" not in b),
        st.sampled_from([-1.0, 0.0, 1.0, 1.0 + 1e-12, 7e300]),
    ),
    unique_by=lambda row: row[:2],
)


@given(rows)
def test_a_run_is_ordered_by_score_then_docid_both_descending(rows):
    qids = tuple(dict.fromkeys(row[0] for row in rows))
    run = Run.build(
        qids,
        np.array([qids.index(row[0]) for row in rows], dtype=np.int64),
        id_array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
    )
    expected = {qid: sorted(((s, d) for q, d, s in rows if q == qid), reverse=True) for qid in qids}
    got = {r.qid: list(zip(r.scores.tolist(), map(bytes, r.docids), strict=True)) for r in run}
    assert got == expected
    assert tuple(got) == qids


def test_bytes_compare_as_bytes_not_as_text():
    ranking = Ranking.build(b"q", [b"\xc3\xa9", b"z", b"\xff"], [1.0, 1.0, 1.0])
    assert [bytes(d) for d in ranking.docids] == [b"\xff", b"\xc3\xa9", b"z"]


def test_a_doubled_document_is_named_by_its_later_row():
    with pytest.raises(BadRow, match=r"document d1 appears twice for query 9") as caught:
        Run.build(
            (b"9",), np.zeros(4, dtype=np.int64), id_array([b"d1", b"d2", b"d1", b"d3"]), np.array([1.0, 2, 3, 4])
        )
    assert caught.value.row == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_named_by_its_row(bad):
    with pytest.raises(BadRow, match="not a finite number") as caught:
        Run.build((b"9",), np.zeros(3, dtype=np.int64), id_array([b"a", b"b", b"c"]), np.array([1.0, bad, 2.0]))
    assert caught.value.row == 1


def test_top_cuts_every_query():
    run = Run.build((b"1", b"2"), np.array([0, 0, 0, 1]), id_array([b"a", b"b", b"c", b"d"]), np.array([1.0, 3, 2, 1]))
    assert [list(map(bytes, r.docids)) for r in run.top(2)] == [[b"b", b"c"], [b"d"]]


def test_one_long_id_does_not_pad_all_others():
    ids = id_array([b"x"] * 10_000 + [b"y" * 100_000])
    assert ids.nbytes < 1_000_000
    assert bytes(ids[-1]) == b"y" * 100_000
