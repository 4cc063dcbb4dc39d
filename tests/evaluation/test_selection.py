"""What an evaluation looks at: only judged documents, only topics that all runs have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_cli.cli.main import main
from rerank_cli.core.qrels import Qrels
from rerank_cli.core.run import Ranking, Run
from rerank_cli.evaluation.judged import Judgements
from rerank_cli.evaluation.measures import Judge
from rerank_cli.evaluation.names import parse_measures
from rerank_cli.evaluation.selection import of_judged_documents, of_shared_topics

Grades = dict[bytes, dict[bytes, int]]


def as_qrels(grades: Grades) -> Qrels:
    rows = [(q, b"0", d, g) for q, own in grades.items() for d, g in own.items()]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Qrels(*columns)


DOCS = [b"a", b"b", b"c", b"d" * 40]
GRADES = st.dictionaries(
    st.sampled_from([b"1", b"2", b"3"]),
    st.dictionaries(st.sampled_from(DOCS), st.integers(-2, 2), min_size=1),
    min_size=1,
)
RUNS = st.dictionaries(
    st.sampled_from([b"3", b"9", b"1"]),
    st.dictionaries(st.sampled_from([*DOCS, b"x", b"y"]), st.integers(0, 9), min_size=1),
)


@settings(max_examples=150, deadline=None)
@given(GRADES, RUNS)
def test_what_stays_are_the_judged_documents_in_their_order(
    grades: Grades, scores: dict[bytes, dict[bytes, int]]
) -> None:
    run = Run.of(Ranking.build(q, list(own), list(map(float, own.values()))) for q, own in scores.items())
    left = of_judged_documents(run, Judgements(as_qrels(grades)))
    assert left.qids == run.qids
    for ranking in run:
        own = grades.get(ranking.qid, {})
        kept = [
            (d, s) for d, s in zip(ranking.docids.tolist(), ranking.scores.tolist(), strict=True) if own.get(d, -1) >= 0
        ]
        assert list(zip(left[ranking.qid].docids.tolist(), left[ranking.qid].scores.tolist(), strict=True)) == kept


def test_a_topic_with_no_judged_document_counts_as_zero() -> None:
    run = Run.of([Ranking.build(b"1", [b"x"], [1.0]), Ranking.build(b"2", [b"a"], [1.0])])
    judge = Judge(parse_measures(["RR", "nDCG", "Bpref", "Judged@5"]), as_qrels({b"1": {b"a": 1}, b"2": {b"a": 1}}))
    found = judge.evaluate(of_judged_documents(run, judge.judgements), "t")
    assert found.values.tolist() == [[0.0, 1.0]] * 4 and found.lacking == 0


def test_shared_topics_are_those_that_every_run_has() -> None:
    qrels = as_qrels({b"1": {b"a": 1}, b"2": {b"a": 0, b"b": 3}, b"3": {b"c": 1}})
    runs = [Run.of([Ranking.build(q, [b"a"], [1.0]) for q in qids]) for qids in ([b"2", b"1"], [b"3", b"2", b"7"])]
    shared = of_shared_topics(qrels, runs)
    assert shared.by_query == {b"2": {b"a": 0, b"b": 3}}
    assert of_shared_topics(qrels, [*runs, Run.of([])]).topics == ()


#: trec_eval 10 printed the values below for these files with -c -J, -c -J -M 6 and with neither -c nor -J.
QRELS = "1 0 a 1\n1 0 b 0\n1 0 c -1\n1 0 d -2\n1 0 e 2\n2 0 a 1\n3 0 a 1\n"
RUN = "".join(f"1 Q0 {d} 1 {9 - n} t\n" for n, d in enumerate("xcbdyeza")) + "2 Q0 z 1 3 t\n2 Q0 a 1 2 t\n"


@pytest.mark.parametrize(
    ("options", "values", "said"),
    [
        (["--judged-only"], "0.5278 0.5000 0.5566 4", "6 of 10 documents are not judged and were left out"),
        (["--judged-only", "--depth", "6"], "0.4167 0.5000 0.4932 3", "5 of 8 documents are not judged"),
        (["--intersection"], "0.3542 0.3333 0.5108 10", "1 of 3 judged topics are not in all runs and were left out"),
    ],
)
def test_as_trec_eval_has_it(tmp_path, monkeypatch, capfd, options, values, said) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "j.run").write_text(RUN)
    (tmp_path / "j.qrels").write_text(QRELS)
    measures = [word for name in ("map", "recip_rank", "ndcg", "num_ret") for word in ("-m", name)]
    assert main(["eval", "-Q", "j.qrels", "j.run", *measures, *options]) == 0
    out, err = capfd.readouterr()
    assert [line.split("\t")[2] for line in out.splitlines()] == values.split() and said in err


def test_no_shared_topic_is_bad_data(tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "j.run").write_text("7 Q0 a 1 1 t\n")
    (tmp_path / "j.qrels").write_text(QRELS)
    assert main(["eval", "-Q", "j.qrels", "j.run", "--intersection"]) == 3
    assert "none of the 3 judged topics is in all runs" in capfd.readouterr()[1]
