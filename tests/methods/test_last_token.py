"""The pruned last layer of each decoder is transformers' own forward, one unpadded row at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

LENGTHS = (17, 3, 9, 1, 12)
#: What makes each family its own: biases, norms of queries and keys, windows narrower than the rows, capped weights.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True},
    "mistral": {"sliding_window": 6},
    "qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"sliding_window": 6, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 2.0},
    "gemma3_text": {"sliding_window": 6, "query_pre_attn_scalar": 8},
    "phi3": {},
}


def decoder(kind: str, attention: str = "eager") -> Any:
    """A tiny decoder of `kind` without a head, its weights and biases far from what fresh ones are."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0}
    config = transformers.AutoConfig.for_model(kind, **sizes, **heads, **FAMILIES[kind])
    model = transformers.AutoModel.from_config(config, attn_implementation=attention).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
            elif "embed" not in name:
                weight.mul_(8)
    return model


@pytest.mark.parametrize("kind", ["qwen2", "gemma3_text"])
def test_it_does_not_depend_on_how_attention_is_computed(kind: str) -> None:
    """PyTorch's own attention is given other masks: of what is seen, or none where every row is causal and whole."""
    import torch

    from rerank_cli.methods.graphs.last_token import last_token

    for lengths in (LENGTHS, (5, 5)):
        mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
        ids = torch.randint(1, 100, mask.shape) * mask
        with torch.inference_mode():
            wanted = [
                decoder(kind)(ids[i : i + 1, :length]).last_hidden_state[0, -1] for i, length in enumerate(lengths)
            ]
            got = last_token(decoder(kind, "sdpa"))(ids, mask)
        np.testing.assert_allclose(got.numpy(), torch.stack(wanted).numpy(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", FAMILIES)
def test_it_is_the_unpadded_forwards_last_row(kind: str, tmp_path: Path) -> None:
    import onnxruntime
    import torch

    from rerank_cli.methods.graphs.last_token import last_token
    from rerank_cli.methods.source import quiet_libraries

    model = decoder(kind)
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.randint(1, 100, mask.shape) * mask
    readable = mask.clone()
    readable[0, -4:] = 0
    with quiet_libraries(), torch.inference_mode():
        singles = [model(ids[i : i + 1, :length]).last_hidden_state[0] for i, length in enumerate(LENGTHS)]
        wanted = torch.stack([states[-1] for states in singles]).numpy()
        pruned = last_token(model)
        got = pruned(ids, mask).numpy()
        earlier = pruned(ids, mask, readable)[0].numpy()
        path = str(tmp_path / "graph.onnx")
        axes = {0: "n", 1: "length"}
        torch.onnx.export(
            pruned,
            (ids[:2, :9], mask[:2, :9]),
            path,
            input_names=["ids", "mask"],
            dynamic_axes={"ids": axes, "mask": axes},
            dynamo=False,
        )
    assert np.ptp(wanted, axis=0).min() > 0.01, "rows that hardly differ would make the comparison empty"
    np.testing.assert_allclose(got, wanted, atol=2e-5, rtol=0)
    np.testing.assert_allclose(earlier, singles[0][-5].numpy(), atol=2e-5, rtol=0)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exported = session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0]
    np.testing.assert_allclose(exported, wanted, atol=2e-5, rtol=0)


def test_a_decoder_that_sees_both_ways_is_left_whole() -> None:
    import torch

    from rerank_cli.methods.graphs.last_token import last_token

    model = decoder("llama")
    model.config.is_causal = False
    ids = torch.randint(1, 100, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with torch.inference_mode():
        wanted = [model(ids[:1]).last_hidden_state[0, -1], model(ids[1:, :5]).last_hidden_state[0, -1]]
        got = last_token(model)(ids, mask)
    np.testing.assert_allclose(got.numpy(), torch.stack(wanted).numpy(), atol=2e-5, rtol=0)
