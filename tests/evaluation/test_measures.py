"""Measures: names, the one tie rule, and the natively computed ones against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.ids import id_array
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Ranking, Run
from rerank_cli.errors import BadData, Missing, WrongUsage
from rerank_cli.evaluation.measures import Evaluation, Judge
from rerank_cli.evaluation.names import parse_measures


def qrels(grades: dict[str, dict[str, int]]) -> Qrels:
    rows = [(q.encode(), d.encode(), g) for q, docs in grades.items() for d, g in docs.items()]
    qids, docids, values = zip(*rows, strict=True)
    return Qrels(id_array(qids), id_array([b"0"] * len(rows)), id_array(docids), np.array(values))


def run(scores: dict[str, dict[str, float]]) -> Run:
    return Run.of(Ranking.build(q.encode(), [d.encode() for d in s], list(s.values())) for q, s in scores.items())


def evaluated(scores, grades, *names: str, rel: int | None = None) -> Evaluation:
    return Judge(parse_measures(names, rel), qrels(grades)).evaluate(run(scores), "run")


def one(scores: dict[str, float], grades: dict[str, int], name: str) -> float:
    return float(evaluated({"q": scores}, {"q": grades}, name).overall[0])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("nDCG@10", "nDCG@10"),
        ("NDCG@10", "nDCG@10"),
        ("ndcg@10", "nDCG@10"),
        ("ndcg_cut_10", "nDCG@10"),
        ("ndcg_cut.10", "nDCG@10"),
        ("NDCG_CUT_10", "nDCG@10"),
        ("ndcg_cut_5,10", "nDCG@5 nDCG@10"),
        ("ndcg", "nDCG"),
        ("map", "AP"),
        ("MAP@100", "AP@100"),
        ("map_cut_100", "AP@100"),
        ("recip_rank", "RR"),
        ("mrr@10", "RR@10"),
        ("MRR", "RR"),
        ("recall_100", "R@100"),
        ("Recall@100", "R@100"),
        ("P_10", "P@10"),
        ("p@5", "P@5"),
        ("P.5,7,3", "P@5 P@7 P@3"),
        ("precision@1", "P@1"),
        ("success", "Success@1 Success@5 Success@10"),
        ("hits@3", "Success@3"),
        ("iprec_at_recall..10", "IPrec@0.1"),
        ("IPrec@1", "IPrec@1.0"),
        ("set_F.0.5", "SetF(beta=0.5)"),
        ("set_relative_P", "SetP(relative=True)"),
        ("num_rel_ret", "NumRet(rel=1)"),
        ("P(rel=2)@5", "P(rel=2)@5"),
        (" nDCG(dcg='exp-log2') @ 5 ", "nDCG(dcg='exp-log2')@5"),
        ("set", "SetP SetP(relative=True) SetR SetAP SetF"),
    ],
)
def test_spellings(said, meant):
    assert " ".join(map(str, parse_measures([said]))) == meant


def test_doubled_measures_are_shown_once():
    assert list(map(str, parse_measures(["AP", "map", "AP(rel=1)", "RR"]))) == ["AP", "RR"]


def test_rel_binds_binary_measures_that_name_none():
    names = ["AP", "nDCG@10", "RR@10", "P(rel=3)@5", "NumRet", "NumRelRet", "NumRel", "Bpref"]
    assert list(map(str, parse_measures(names, rel=2))) == [
        "AP(rel=2)", "nDCG@10", "RR(rel=2)@10", "P(rel=3)@5", "NumRet", "NumRet(rel=2)", "NumRel(rel=2)", "Bpref(rel=2)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc@10", "no measure 'ndgc@10'"),
        ("gm_map", "trec_eval's gm_map"),
        ("R", "needs cutoff"),
        ("P@0", "cutoff cannot be 0"),
        ("P@ten", "cannot be read"),
        ("P@2.5", "cutoff cannot be 2.5"),
        ("NumQ@3", "NumQ has no cutoff"),
        ("AP(rel=1.5)", "rel cannot be 1.5"),
        ("AP(3)", "cannot be read"),
        ("__import__('os').system('true')", "cannot be read"),
        ("ndcg_cut_1.2.3", "'1.2.3' is not a number"),
        ("", "cannot be read"),
    ],
)
def test_names_that_are_none(name, message):
    with pytest.raises(WrongUsage, match=message):
        parse_measures([name])


def test_a_close_name_is_offered():
    with pytest.raises(WrongUsage) as error:
        parse_measures(["ndgc@10"])
    assert "nDCG" in error.value.hint


@pytest.mark.parametrize("said", ["nDCG@10,AP", "nDCG@10 AP", "nDCG@10, AP"])
def test_several_in_one_are_told_apart(said):
    with pytest.raises(WrongUsage) as error:
        parse_measures([said])
    assert "-m nDCG@10 -m AP" in error.value.hint


def test_no_two_measures_break_a_tie_differently():
    tied = {"b": 1.0, "a": 1.0, "c": 1.0}
    for relevant, rank in (("c", 1), ("b", 2), ("a", 3)):
        grades = {relevant: 1}
        assert one(tied, grades, "RR") == one(tied, grades, "RR@10") == pytest.approx(1 / rank)
        assert one(tied, grades, "P@1") == one(tied, grades, "Success@1") == (rank == 1)
        assert one(tied, grades, "ERR@10") == pytest.approx(1 / 16 / rank)


def test_scores_that_are_equal_as_32_bit_floats_keep_their_order():
    close = {"a": 1 + 1e-12, "b": 1.0}
    assert one(close, {"a": 1}, "RR") == one(close, {"a": 1}, "RR@10") == 1.0


def test_judged_topics_that_the_run_lacks_count_as_zero():
    result = evaluated({"1": {"a": 1}, "9": {"a": 1}}, {"1": {"a": 1}, "2": {"a": 1, "b": 2}}, "RR", "NumRel", "NumQ")
    assert (result.of("RR"), result.of("NumRel"), result.of("NumQ")) == (0.5, 3, 2)
    assert (result.lacking, result.unjudged) == (1, 1)
    assert result.values[0].tolist() == [1.0, 0.0]


def test_ids_of_any_bytes_are_judged():
    odd = b"\xff\xfe"
    judged = Qrels(id_array([odd]), id_array([b"0"]), id_array([odd]), np.array([1]))
    made = Run.of([Ranking.build(odd, [odd, b"b"], [2.0, 1.0])])
    result = Judge(parse_measures(["AP", "RR@10", "Judged@1", "ERR@5"]), judged).evaluate(made, "run")
    assert result.overall.tolist() == [1.0, 1.0, 1.0, 1 / 16]


def test_a_measure_whose_library_is_absent_says_what_to_install():
    installed = True
    try:
        import pyndeval  # noqa: F401
    except ImportError:
        installed = False
    if installed:
        pytest.skip("pyndeval is installed here")
    with pytest.raises(Missing, match="alpha_nDCG@10 needs the package pyndeval") as error:
        Judge(parse_measures(["alpha_nDCG@10"]), qrels({"q": {"a": 1}}))
    assert "pip install 'ir-measures[pyndeval]'" in error.value.hint
    with pytest.raises(WrongUsage, match="no library of ir-measures computes RBP"):
        Judge(parse_measures(["RBP"]), qrels({"q": {"a": 1}}))


def test_err_refuses_grades_it_is_not_defined_for():
    with pytest.raises(BadData, match="grade 5"):
        one({"a": 1}, {"a": 5}, "ERR@10")


GRADES = st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 4), min_size=1)
SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1)


@settings(max_examples=100, deadline=None)
@given(SCORES, GRADES, st.integers(1, 6))
def test_err_and_exponential_ndcg_equal_their_definitions(scores, grades, k):
    order = sorted(scores, key=lambda d: (scores[d], d), reverse=True)
    reached, err = 1.0, 0.0
    for rank, docid in enumerate(order[:k], start=1):
        stops = (2 ** max(grades.get(docid, 0), 0) - 1) / 16
        err += reached * stops / rank
        reached *= 1 - stops

    def dcg(docids):
        return sum((2 ** max(grades.get(d, 0), 0) - 1) / math.log2(r + 1) for r, d in enumerate(docids[:k], start=1))

    best = dcg(sorted(grades, key=lambda d: -grades[d]))
    assert one(scores, grades, f"ERR@{k}") == pytest.approx(err)
    assert one(scores, grades, f"nDCG(dcg='exp-log2')@{k}") == pytest.approx(dcg(order) / best if best else 0)


@settings(max_examples=100, deadline=None)
@given(SCORES, GRADES, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_interpolated_precision_equals_its_definition(scores, grades, level):
    order = sorted(scores, key=lambda d: (scores[d], d), reverse=True)
    total = sum(g >= 1 for g in grades.values())
    need = math.floor(level * total + 0.5)
    found = [sum(grades.get(d, 0) >= 1 for d in order[:i]) for i in range(1, len(order) + 1)]
    reached = [f / i for i, f in enumerate(found, start=1) if f >= need]
    assert one(scores, grades, f"IPrec@{level}") == pytest.approx(max(reached, default=0))
