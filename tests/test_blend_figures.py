"""The default model on real judged collections: the figures of docs/blend.md."""

import numpy as np
import pytest

pytestmark = pytest.mark.data


def figure(shell, run, collection):
    done = shell(
        f"rerank rerank -q {run} -c {collection} -k 100 -o out.run && rerank eval -q out.run -c {collection} -m nDCG@10"
    )
    assert done.code == 0, done.err
    return float(done.lines[0].split("\t")[2])


def test_the_published_bm25_run_of_dl19(shell, data):
    collection = data / "dl19-passage"
    assert abs(figure(shell, collection / "runs/BM25.trec", collection) - DL19) < 0.003


def test_a_learned_sparse_run_is_hurt_as_the_documentation_says(shell, data, tmp_path):
    collection = data / "dl19-passage"
    run = collection / "runs/SPLADE_P_P_ENSEMBLE_DISTIL.trec"
    assert abs(figure(shell, run, collection) - SPLADE) < 0.003


def test_cranfield_and_scifact_on_our_own_bm25(shell, data):
    for name, wanted in (("cranfield", CRANFIELD), ("scifact", SCIFACT)):
        done = shell(f"rerank retrieve -q -c {data / name} -k 100 -o {name}.run")
        assert done.code == 0, done.err
        assert abs(figure(shell, f"{name}.run", data / name) - wanted) < 0.003
