"""Every vectorised measure against ir-measures (pytrec_eval), on input as it comes: per query and in all."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core import run
from rerank_cli.core.hashing import fingerprints
from rerank_cli.core.ids import id_array
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Ranking, Run, blocks_of_lists
from rerank_cli.errors import BadRow
from rerank_cli.evaluation import judged, vectorised
from rerank_cli.evaluation.measures import Judge
from rerank_cli.evaluation.names import parse_measures
from rerank_cli.formats.qrels import read_qrels
from rerank_cli.formats.runs import read_run

NAMES = """nDCG nDCG@1 nDCG@10 nDCG@1000 P@1 P@10 P@200 P(rel=2)@5 R@5 R@1000 R(rel=2)@20 AP AP@10 AP@1000 AP(rel=2)
    AP(rel=3)@7 RR RR@1 RR@10 RR(rel=2) RR(rel=2)@10 Success@1 Success@10 Success(rel=3)@5 Rprec Rprec(rel=2)
    Bpref Bpref(rel=2) Judged Judged@1 Judged@10 Judged@500 NumQ NumRet NumRelRet NumRet(rel=2) NumRel NumRel(rel=2)
    SetP SetP(relative=True) SetP(rel=2) SetR SetR(rel=2) SetF SetF(beta=0.5) SetF(beta=2) SetAP SetAP(rel=2)
    IPrec@0.0 IPrec@0.1 IPrec@0.5 IPrec@1.0 IPrec(rel=2)@0.3"""
MEASURES = parse_measures(NAMES.split())


def test_all_of_these_are_vectorised():
    assert [str(m) for m in MEASURES if not vectorised.covers(m)] == []


@pytest.mark.parametrize(
    "name", ["P(judged_only=True)@5", "nDCG(judged_only=True)", "nDCG(dcg='exp-log2')@5", "AP(rel=0)", "infAP", "ERR@5"]
)
def test_others_go_the_general_way(name):
    assert not vectorised.covers(parse_measures([name])[0])


def assert_same(made: Run, judgements: Qrels) -> None:
    fast = Judge(MEASURES, judgements).evaluate(made, "fast")
    general = Judge(MEASURES, judgements, fast=False).evaluate(made, "general")
    for name, one, other in zip(fast.measures, fast.values, general.values, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(fast.overall, general.overall, rtol=1e-12, atol=1e-12)
    assert (fast.topics, fast.lacking, fast.unjudged) == (general.topics, general.lacking, general.unjudged)


def messy(seed: int, *, queries: int, depth: int, odd: bool = False, long: bool = False) -> tuple[bytes, bytes]:
    """A run and judgements as they come: any order, ties, doubled judgements, negative grades, topics on one side only."""
    draw = random.Random(seed)
    end = b"\xff\xe9" if odd else b""
    names = [b"d%d%b" % (n, end) for n in range(3 * depth)]
    if long:
        names[0] = b"http://" + b"x" * 400
    run_lines, judged_lines = [], []
    for query in range(queries):
        qid = b"q%d%b" % (query, end)
        listed = draw.sample(names, draw.randint(1, depth))
        if query % 7:
            for docid in listed:
                blank = draw.choice([b" ", b"\t", b"  "])
                score = draw.choice([b"%.2f" % draw.uniform(-1, 3), b"1", b"1e-3", b"%r" % draw.random()])
                run_lines.append(blank.join([qid, b"Q0", docid, b"1", score, b"tag"]))
        if query % 5:
            grades = [-1, -2, 0, 0, 1, 1, 2, 3] if query % 4 else [0, -1]
            pool = draw.sample(names, draw.randint(1, len(names) // 2)) + listed[:3]
            judged_lines += [b"%b 0 %b %d" % (qid, docid, draw.choice(grades)) for docid in pool]
    draw.shuffle(run_lines)
    if seed % 2:
        draw.shuffle(judged_lines)
    return b"\n".join(run_lines) + b"\n", b"\r\n".join(judged_lines)


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_messy_input_has_the_values_of_ir_measures(seed, odd, long):
    lines, judgements = messy(seed, queries=30, depth=60, odd=odd, long=long)
    assert_same(read_run(io.BytesIO(lines), "run").run, read_qrels(io.BytesIO(judgements), "qrels"))


def test_large_messy_input_has_the_values_of_ir_measures():
    lines, judgements = messy(1, queries=160, depth=1200)
    assert len(lines) > 1 << 20 and len(judgements) > 1 << 18
    assert_same(read_run(io.BytesIO(lines), "run").run, read_qrels(io.BytesIO(judgements), "qrels"))


GRADES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-2, 4), min_size=1)
SCORES = st.dictionaries(st.sampled_from("abcdefghijkl"), st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1)
TOPICS = st.sampled_from("123")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TOPICS, SCORES), st.dictionaries(TOPICS, GRADES, min_size=1))
def test_any_small_input_has_the_values_of_ir_measures(scores, grades):
    made = Run.of(Ranking.build(q.encode(), [d.encode() for d in s], list(s.values())) for q, s in scores.items())
    rows = [(q.encode(), d.encode(), g) for q, docs in grades.items() for d, g in docs.items()]
    qids, docids, values = zip(*rows, strict=True)
    assert_same(made, Qrels(id_array(qids), id_array([b"0"] * len(rows)), id_array(docids), np.array(values)))


@pytest.mark.parametrize("keep", [0, 4])
def test_colliding_fingerprints_change_nothing(monkeypatch, keep):
    def colliding(ids: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return fingerprints(ids, groups) & np.uint64(2**keep - 1)

    lines, judgements = messy(4, queries=20, depth=40)
    monkeypatch.setattr(judged, "fingerprints", colliding)
    monkeypatch.setattr(run, "fingerprints", colliding)
    assert_same(read_run(io.BytesIO(lines), "run").run, read_qrels(io.BytesIO(judgements), "qrels"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_blocks_hold_whole_lists_and_every_row_once(lengths, rows):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    blocks = list(blocks_of_lists(offsets, rows))
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(sum(lengths)))
    assert all(block.stop in offsets and block.start in offsets for block in blocks)
    assert all(block.stop - block.start <= max(rows, *lengths) for block in blocks)


def test_a_doubled_document_is_found_among_ties_and_wherever_it_stands():
    docids = id_array([b"a", b"b", b"b", b"c", b"a"])
    with pytest.raises(BadRow, match="document b appears twice for query q") as error:
        Run.build((b"p", b"q"), np.array([1, 1, 1, 1, 0]), docids, np.array([3.0, 2.0, 2.0, 1.0, 9.0]))
    assert error.value.row == 2
