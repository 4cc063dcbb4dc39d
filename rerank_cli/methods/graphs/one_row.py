"""The last layer of a transformer with rotary positions, computed for the one row that is read.

Keys are made for every token: rotary positions lie between the key projection and the query, so the projection
cannot change sides. Values are not: their projection comes after the weighted sum. The layer's own code does all
the rest (residuals, norms, feed-forward), for one row.
"""

from __future__ import annotations

from typing import Any


def row(states: Any, at: Any) -> Any:
    """Row `at[i]` of each `states[i]`, row 0 where `at` is None: (n, L, d) -> (n, d)."""
    if at is None:
        return states[:, 0].contiguous()  # other strides, other rounding in 16 bits
    return states.gather(1, at.view(-1, 1, 1).expand(-1, 1, states.shape[-1]))[:, 0]


def from_transformers(model: Any) -> bool:
    """Whether a model's class is the library's own: code that comes with a checkpoint may do anything under a known name."""
    return type(model).__module__.startswith("transformers.models.")


def one_row_layer(layer: Any, norm: str, attention: str, parts: Any) -> Any:
    """`layer` for row `at` alone: (n, L, d) -> (n, 1, d).

    `norm` and `attention` name its first norm and its attention; `parts` holds the attention's projections
    (`q_proj`, `k_proj`, `v_proj`, `o_proj`). transformers' layers hand arguments that they do not know to
    their attention: here all rows and `at`.
    """
    import torch

    setattr(layer, attention, _one_row_attention(parts))

    class OneRowLayer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer
            self.attention_type = getattr(layer, "attention_type", None)

        def forward(self, hidden_states: Any, *, at: Any = None, **others: Any) -> Any:
            everything = getattr(self.layer, norm)(hidden_states)
            return self.layer(row(hidden_states, at)[:, None], everything=everything, at=at, **others)

    return OneRowLayer()


def _one_row_attention(own: Any) -> Any:
    import torch

    size, groups = own.head_dim, own.num_key_value_groups
    softcap = getattr(own, "attn_logit_softcapping", None)

    class OneRowAttention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = own

        def forward(
            self, hidden_states: Any, everything: Any, at: Any, position_embeddings: Any, attention_mask: Any, **_: Any
        ) -> tuple[Any, None]:
            cos, sin = (part[0] for part in position_embeddings)
            own_cos, own_sin = (part[:1] if at is None else part[at] for part in (cos, sin))
            query = self._normed("q_norm", self.own.q_proj(hidden_states[:, 0]).unflatten(-1, (-1, size)))
            keys = self._normed("k_norm", self.own.k_proj(everything).unflatten(-1, (-1, size)))
            query = _rotated(query, own_cos[:, None], own_sin[:, None]).unflatten(1, (-1, groups))
            keys = _rotated(keys, cos[:, None], sin[:, None])
            weights = query @ keys.permute(0, 2, 3, 1) * self.own.scaling
            if softcap is not None:
                weights = torch.tanh(weights / softcap) * softcap
            weights = torch.softmax(_masked(weights, attention_mask, at).float(), dim=-1).to(everything.dtype)
            gathered = (weights.flatten(1, 2) @ everything).unflatten(1, (-1, groups))
            values = self.own.v_proj
            answer = torch.einsum("nkgd,ksd->nkgs", gathered, values.weight.unflatten(0, (-1, size)))
            if values.bias is not None:
                answer = answer + values.bias.view(-1, 1, size)
            return self.own.o_proj(answer.flatten(1))[:, None], None

        def _normed(self, name: str, heads: Any) -> Any:
            return getattr(self.own, name)(heads) if hasattr(self.own, name) else heads

    return OneRowAttention()


def _masked(weights: Any, mask: Any, at: Any) -> Any:
    """Weights (n, k, g, L) with what the row must not see hidden: by an additive mask (n, 1, L, L), one of what is seen, or none."""
    import torch

    if mask is None:
        if at is None:
            return weights
        seen = torch.arange(weights.shape[-1], device=weights.device) <= at[:, None]
    else:
        seen = row(mask[:, 0], at)
    return hide(weights, seen[:, None, None])


def hide(weights: Any, mask: Any) -> Any:
    """Weights without what a mask hides: one that is added, or one that is true of what is seen."""
    import torch

    if mask.dtype != torch.bool:
        return weights + mask
    return weights.masked_fill(~mask, torch.finfo(weights.dtype).min)


def _rotated(heads: Any, cos: Any, sin: Any) -> Any:
    """Rotary positions: each half of a head's vector turned against the other."""
    import torch

    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin
