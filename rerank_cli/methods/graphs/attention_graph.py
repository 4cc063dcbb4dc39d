"""How much the last tokens of a prompt look at each token before them: a decoder whose attention is watched.

Weights for every pair of tokens would take gigabytes; only the last tokens' are computed, beside PyTorch's own attention
that keeps none, so memory grows with the prompt's length and not with its square. Two ends of one beginning share the
keys and values that it leaves.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record

#: transformers' model types whose attention is read.
FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
#: The name under which transformers finds `_attention`.
_NAME = "rerank_watched"


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module that PyTorch runs: a prompt asking nothing (1, L), another end for it (1, T), where that begins (1,) ->
    (1, start): the attention that the end's tokens give to each token before it, on average, less the first end's."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.cache_utils import DynamicCache
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(_NAME, _attention)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    model.set_attn_implementation(_NAME)

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, tail: Any, start: Any) -> Any:
            begin = int(start[0])
            whole, shared = DynamicCache(), DynamicCache()
            nothing = self._looked_at(input_ids, whole, begin)
            layers: Any = whole.layers
            for number, layer in enumerate(layers):
                shared.update(layer.keys[:, :, :begin], layer.values[:, :, :begin], number)
            return (self._looked_at(tail, shared, begin) - nothing)[None]

        def _looked_at(self, ids: Any, cache: Any, begin: int) -> Any:
            seen = torch.zeros(begin, device=ids.device)
            self.model(input_ids=ids, past_key_values=cache, use_cache=True, watched=_Watched(begin, seen))
            return seen

    return Attention().eval()


class _Watched:
    """What the tokens from `begin` on looked at, of those before it: added up layer by layer."""

    def __init__(self, begin: int, seen: Any) -> None:
        self.begin, self.seen = begin, seen


def _attention(module: Any, query: Any, key: Any, value: Any, mask: Any, *, watched: _Watched, **more: Any) -> Any:
    """PyTorch's own attention; beside it, the weights of the tokens from `watched.begin` on are added to `watched.seen`.

    query (1, heads, S, size) are the last S of the key's tokens (1, key heads, L, size).
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    last = key.shape[2] - watched.begin
    rows = query[0, :, -last:].float()
    groups = rows.shape[0] // key.shape[1]
    # Heads that share keys stand behind each other: (key heads, heads that share x rows, size).
    rows = rows.unflatten(0, (key.shape[1], groups))
    weights = torch.einsum("kgsd,kld->kgsl", rows, key[0].float()) * more["scaling"]
    at = torch.arange(key.shape[2], device=key.device)
    hidden = at > at[-last:, None]
    window = more.get("sliding_window")
    if window:
        hidden |= at <= at[-last:, None] - window
    weights = weights.masked_fill(hidden, float("-inf")).softmax(-1)
    watched.seen += weights[..., : watched.begin].mean(2).sum((0, 1))
    return sdpa_attention_forward(module, query, key, value, mask, **more)
