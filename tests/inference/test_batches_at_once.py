"""Batches that run at once on ONNX Runtime score as one after the other does; their operations are those PyTorch counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.onnx import OnnxBackend
from rerank_cli.inference.torch import TorchBackend
from rerank_cli.methods import load
from rerank_cli.methods.exported import GRAPH

pytest_plugins = ["tiny_scorers"]


@pytest.mark.parametrize("name", ["bert-1", "t5", "bi-mean"])
def test_batches_at_once_score_as_one_after_the_other_in_any_order(tiny: Any, pairs: list[Pair], name: str) -> None:
    wanted = tiny.scorer(name).score(pairs).values
    order = np.random.default_rng(0).permutation(len(pairs))
    for threads in (2, 5):
        several = load(tiny.exported(name), threads=threads, note=pytest.fail)
        got = several.score([pairs[at] for at in order])
        np.testing.assert_allclose(got.values, wanted[order], atol=1e-5, rtol=0)
        assert got.calls >= threads, "enough batches for everybody"


def test_operations_are_those_that_pytorch_counts(tiny: Any) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    batch = {name: np.ones((3, 20), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}

    class Whole(torch.nn.Module):
        """The model with its whole last layer."""

        def __init__(self) -> None:
            super().__init__()
            folder = tiny.folder("bert-1")
            self.model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager")

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            return self.model(**dict(zip(batch, arrays, strict=True))).logits  # type: ignore[no-any-return]

    whole = TorchBackend(Whole(), longest=64, device="cpu", threads=1).operations(batch)
    # Two layers, of which the last computes one row in twenty.
    counted = OnnxBackend(tiny.exported("bert-1") / GRAPH, device="cpu", threads=1, note=pytest.fail).operations(batch)
    assert 0.5 * whole < counted < 0.62 * whole
