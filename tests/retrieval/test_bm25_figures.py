"""BM25 on judged collections.

The reference is Lucene 9.9.1 itself (IndexSearcher with BM25Similarity and EnglishAnalyzer, from
Anserini 0.24's jar, run once on the same files; its lists put in trec_eval's order). The program's
terms and scores were equal to its, bit for bit; these are the figures of its runs. Those of SciFact
at .9 and .4 are also the ones that Anserini publishes (.6789, .9253).
"""

import ir_measures
import pytest
from ir_measures import AP, RR, R, nDCG

pytestmark = pytest.mark.data

LUCENE = [
    ("scifact", 0.9, 0.4, (0.6789, 0.6401, 0.9253, 0.6457)),
    ("scifact", 1.2, 0.75, (0.6826, 0.6398, 0.9282, 0.6464)),
    ("cranfield", 0.9, 0.4, (0.3510, 0.2879, 0.7224, 0.5078)),
    ("cranfield", 1.2, 0.75, (0.3675, 0.3053, 0.7362, 0.5274)),
    ("dl19-passage", 0.9, 0.4, (0.4519, 0.3451, 0.4561, 0.8159)),
]


def figures(shell, folder, options, tmp_path):
    done = shell(f"rerank retrieve -q -c {folder} {options} -o bm25.run")
    assert done.code == 0, done.err
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    run = list(ir_measures.read_trec_run(str(tmp_path / "bm25.run")))
    values = ir_measures.calc_aggregate([nDCG @ 10, AP, R @ 100, RR @ 10], qrels, run)
    return tuple(round(values[measure], 4) for measure in (nDCG @ 10, AP, R @ 100, RR @ 10))


@pytest.mark.parametrize(("name", "k1", "b", "expected"), LUCENE)
def test_figures_are_those_of_lucene(shell, data, tmp_path, name, k1, b, expected):
    assert figures(shell, data / name, f"--k1 {k1} --b {b}", tmp_path) == expected


def test_scifact_is_not_below_the_figures_of_bm25s(shell, data, tmp_path):
    ours = figures(shell, data / "scifact", "", tmp_path)
    assert all(mine >= theirs for mine, theirs in zip(ours, (0.6762, 0.6372, 0.9127, 0.6413)))


def test_the_two_files_of_judgements_say_the_same(data):
    for name in ("scifact", "cranfield"):
        beir = [line.split("\t") for line in (data / name / "qrels/test.tsv").read_text().splitlines()[1:]]
        trec = [line.split() for line in (data / name / "qrels.trec").read_text().splitlines()]
        assert sorted((q, d, int(g)) for q, d, g in beir) == sorted((q, d, int(g)) for q, _, d, g in trec)
