"""Exact pruning for decoders: what reads the last token needs only that row of the last layer.

Rows are padded on the right, and a causal model's real tokens never see what follows them; the row that is
read is therefore each pair's last real one, not the batch's last column.
"""

from __future__ import annotations

from typing import Any

from rerank_cli.methods.graphs.one_row import from_transformers, one_row_layer, row

#: transformers' model types whose last layer is pruned; of other decoders the whole last layer is computed.
PRUNED = frozenset({"gemma", "gemma2", "gemma3_text", "llama", "mistral", "qwen2", "qwen3"})


def last_token(base: Any) -> Any:
    """A module (input_ids, attention_mask, readable=None) -> the last token's final hidden state (n, d).

    `base` is a decoder without its head (`Qwen3Model`, `LlamaModel`, ...); its last layer is changed in place. Arrays
    are (n, L), padded on the right. `readable` (n, L) is 1 where a row may be read (default: the attention mask).
    """
    import torch

    pruned = base.config.model_type in PRUNED and from_transformers(base) and _is_causal(base.config)
    if pruned:
        layer = base.layers[-1]
        base.layers[-1] = one_row_layer(layer, "input_layernorm", "self_attn", layer.self_attn)

    class LastToken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = base

        def forward(self, input_ids: Any, attention_mask: Any, readable: Any = None) -> Any:
            places = torch.arange(input_ids.shape[1], device=input_ids.device)
            last = (places * (attention_mask if readable is None else readable)).max(1).values
            own = {"at": last} if pruned else {}
            states = self.base(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **own)
            return row(states.last_hidden_state, None if pruned else last)

    return LastToken()


def _is_causal(config: Any) -> bool:
    return bool(getattr(config, "is_causal", True)) and not getattr(config, "use_bidirectional_attention", False)
