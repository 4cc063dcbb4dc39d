"""PyTorch's fused attention, which a GPU gets in fp32 too, scores as the one that is exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rerank_cli.core.protocols import Pair
from rerank_cli.inference.torch import TorchBackend
from rerank_cli.methods import method_named
from rerank_cli.methods.torch_model import load_model

pytest_plugins = ["tiny_scorers"]


@pytest.mark.parametrize("name", ["bert-1", "modernbert-1", "t5"])
def test_fused_attention_scores_alike(tiny: Any, pairs: list[Pair], name: str) -> None:
    source = tiny.source(name)
    module = method_named(source.checkpoint.method)
    record = module.record(source)
    scores, used = [], []
    for fused in (False, True):
        model = load_model(source, module.MODEL_CLASS, may_lack=module.MAY_LACK, fused=fused)
        used.append(model.config._attn_implementation)
        backend = TorchBackend(
            module.graph(model, record, source.folder), longest=record.max_length, device="cpu", threads=1
        )
        scores.append(module.scorer(record, source.tokenizer, backend, None, None).score(pairs).values)
    assert used[0] == "eager" and (used[1] == "sdpa" or name == "t5")
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4, rtol=0)
