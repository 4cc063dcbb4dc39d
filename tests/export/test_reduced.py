"""Reduced precisions: what they may not change, when they are refused, and what `fast` takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from conftest import Runner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rerank_cli.core.protocols import Pair
from rerank_cli.export.blockwise import quantised
from rerank_cli.methods import load, load_torch
from rerank_cli.methods.catalog import find

PAIRS = [
    Pair(query, document)
    for query in ("what is the price of copper", "lighthouse")
    for document in (
        "copper in a mine",
        "bees find their way home",
        "a lake deep " * 9,
        "",
        "flour water salt oven hot",
    )
]
RUN = "".join(
    json.dumps({"qid": "q", "query": PAIRS[0].query, "docid": f"d{i}", "text": pair.document, "score": -i}) + "\n"
    for i, pair in enumerate(PAIRS[:5])
).encode()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.bert_like(tmp_path_factory.mktemp("models") / "tiny-bert", "bert", 1)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 70), st.integers(1, 4)), elements=st.floats(-9, 9, width=32)))
def test_a_weight_is_off_by_at_most_half_its_blocks_step(weights: np.ndarray) -> None:
    codes, scales = quantised(weights)
    back = ((codes.astype(np.float32) - 128) * scales[:, :, None]).reshape(weights.shape[1], -1)[:, : len(weights)].T
    steps = np.repeat(scales, codes.shape[2], axis=1)[:, : len(weights)].T
    assert (np.abs(back - weights) <= steps / 2 + 1e-6).all()


def test_int8_says_how_it_ranks_and_a_score_has_no_companions(rerank: Runner, tmp_path: Path) -> None:
    done = rerank("export-onnx", "minilm", "--precision", "int8", "-o", "small")
    assert done.code == 0, done.err
    printed = dict(line.split("\t") for line in done.lines)
    assert 0.97 <= float(printed["int8_tau"]) <= 1.0
    assert 0 < float(printed["int8_difference"]) < 0.1, "int8 is not fp32"
    scorer = load(tmp_path / "small", threads=1, note=pytest.fail)
    assert scorer.description.precision == "int8"
    together = scorer.score(PAIRS).values
    alone = np.array([load(tmp_path / "small", threads=1, note=pytest.fail).score([p]).values[0] for p in PAIRS[:4]])
    np.testing.assert_allclose(together[:4], alone, atol=1e-5, rtol=0)
    used = rerank("rerank", "-m", "./small", stdin=RUN)
    assert used.code == 0 and len(used.lines) == 5, used.err
    assert rerank("rerank", "-m", "./small", "--precision", "fp32", stdin=RUN).code == 2


def test_a_graph_that_loses_the_order_is_refused_unless_forced(
    rerank: Runner, classifier: Path, tmp_path: Path
) -> None:
    # With so few words and dimensions its scores lie closer together than 8 bits can tell.
    refused = rerank("export-onnx", str(classifier), "--precision", "int8", "-o", "small")
    assert refused.code == 1 and "tau" in refused.err and "--force" in refused.err
    assert not (tmp_path / "small").exists()
    assert rerank("rerank", "-m", str(classifier), "--precision", "int8", stdin=RUN).code == 1
    forced = rerank("export-onnx", str(classifier), "--precision", "int8", "-o", "small", "--force")
    assert forced.code == 0 and (tmp_path / "small" / "model.onnx").is_file()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_keeps_label_logits_whole(classifier: Path, precision: str) -> None:
    torch = pytest.importorskip("torch")
    exact, half = (
        load_torch(find(str(classifier)), precision=name, threads=1, note=pytest.fail).score(PAIRS).values
        for name in ("fp32", precision)
    )
    np.testing.assert_allclose(half, exact, atol=0.05)
    assert not np.array_equal(half, exact)
    rounded = torch.from_numpy(half).to(torch.bfloat16 if precision == "bf16" else torch.float16).float().numpy()
    assert not np.array_equal(half, rounded), "the label's logit was rounded"


def test_fp16_graphs_score_as_fp32_does(rerank: Runner, classifier: Path, tmp_path: Path) -> None:
    done = rerank("export-onnx", str(classifier), "--precision", "fp16", "-o", "half")
    assert done.code == 0, done.err
    half = load(tmp_path / "half", threads=1, note=pytest.fail).score(PAIRS).values
    exact = load_torch(find(str(classifier)), threads=1, note=pytest.fail).score(PAIRS).values
    np.testing.assert_allclose(half, exact, atol=0.01)
    assert (tmp_path / "half" / "model.onnx").stat().st_size > 0


def test_a_t5_is_not_computed_in_fp16(rerank: Runner, tmp_path: Path) -> None:
    folder = tiny_models.t5(tmp_path / "tiny-t5")
    done = rerank("rerank", "-m", str(folder), "--method", "monot5", "--precision", "fp16", stdin=RUN)
    assert done.code == 2 and "fp16" in done.err and "bf16" in done.err


def test_what_the_graph_does_not_compute_is_refused_by_name(rerank: Runner, classifier: Path) -> None:
    for options in (
        ("--precision", "bf16", "--provider", "cpu"),
        ("--precision", "bf16", "--engine", "onnx"),
        ("--precision", "int8", "--engine", "torch"),
    ):
        done = rerank("rerank", "-m", str(classifier), *options, stdin=RUN)
        assert (done.code, done.text) == (2, ""), done.err
        assert options[1] in done.err


def test_fast_says_what_it_measured_and_measures_once(rerank: Runner, classifier: Path) -> None:
    first = rerank("rerank", "-m", str(classifier), "--precision", "fast", stdin=RUN)
    assert first.code == 0, first.err
    assert "measuring which precision is quickest" in first.err
    told = next(line for line in first.err.splitlines() if "fast is" in line)
    chosen = told.split("fast is ")[1].split()[0]
    assert chosen in ("fp32", "bf16", "int8") and "bf16: " in told and "int8: " in told
    again = rerank("rerank", "-m", str(classifier), "--precision", "fast", stdin=RUN)
    assert "measuring" not in again.err and told in again.err
    by_name = rerank("rerank", "-m", str(classifier), "--precision", chosen, stdin=RUN)
    assert again.text == first.text == by_name.text


def test_a_folder_called_demo_is_not_in_the_way(rerank: Runner, classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    done = rerank("export-onnx", str(classifier), "--precision", "int8", "-o", "small", "--force")
    assert done.code == 0, done.err
