"""trec_eval 10 holds scores as 64-bit floats, 9 as 32-bit ones; both are met, on untied, tied and nearly tied lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.core.ids import id_array
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Run
from rerank_cli.evaluation.measures import Judge
from rerank_cli.evaluation.names import parse_measures

#: Some differ, some are equal, some differ in 64 bits only.
NEARLY = [3.0, 2.0, 1.0, 1.0 + 1e-9, 1.0 - 1e-9, 1.0 + 1e-6, -5.0, 1e30]


def run_of(scores):
    docids = [b"d%d" % place for place in range(len(scores))]
    return Run.build((b"1",), np.zeros(len(scores), dtype=np.int64), id_array(docids), np.array(scores))


def qrels_of(grades):
    docids = id_array([b"d%d" % place for place in range(len(grades))])
    every = id_array([b"1"] * len(grades))
    return Qrels(every, id_array([b"0"] * len(grades)), docids, np.array(grades, dtype=np.int64))


@settings(max_examples=60)
@given(st.lists(st.sampled_from(NEARLY), min_size=2, max_size=9), st.data())
def test_single_precision_gives_what_trec_eval_9_gives(scores, data):
    """pytrec_eval is trec_eval 9 in Python, with its 32-bit scores and its order of ties."""
    pytrec_eval = pytest.importorskip("pytrec_eval")
    grades = data.draw(st.lists(st.integers(0, 3), min_size=len(scores), max_size=len(scores)))
    given_run = {f"d{place}": score for place, score in enumerate(scores)}
    judged = {f"d{place}": grade for place, grade in enumerate(grades)}
    names = {"recip_rank": "RR", "ndcg_cut_10": "nDCG@10", "map": "AP", "P_5": "P@5"}
    theirs = pytrec_eval.RelevanceEvaluator({"1": judged}, {"recip_rank", "ndcg_cut.10", "map", "P.5"}).evaluate(
        {"1": given_run}
    )["1"]
    judge = Judge(parse_measures(list(names.values()), None), qrels_of(grades))
    ours = judge.evaluate(run_of(scores).in_single_precision(), "run")
    for theirs_name, name in names.items():
        assert ours.of(name) == pytest.approx(theirs[theirs_name], abs=1e-9), name


def test_what_is_a_tie_in_32_bits_only_is_told_apart_without_it(rerank, tmp_path):
    (tmp_path / "run").write_text("1 Q0 a 1 1.000000001 t\n1 Q0 b 2 1.0 t\n")
    (tmp_path / "qrels").write_text("1 0 a 1\n")
    assert rerank("eval", "run", "-Q", "qrels", "-m", "RR").lines == ["RR\tall\t1.0000"]
    assert rerank("eval", "run", "-Q", "qrels", "-m", "RR", "--compat", "trec_eval9").lines == ["RR\tall\t0.5000"]
