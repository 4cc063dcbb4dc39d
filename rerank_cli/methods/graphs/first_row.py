"""Exact pruning for encoders: a head that reads the first token needs only that row of the last layer.

With one query row the last attention needs no keys and no values of its own: the key projection goes to
the query's side (its bias moves every weight alike, so softmax drops it), the value projection comes after the
weighted sum (weights sum to one, so its bias is added once). What is left of the layer costs next to nothing.
Where positions are rotary (ModernBERT, see `one_row`) or meet the keys themselves (DeBERTa), keys must be made.
"""

from __future__ import annotations

from typing import Any

from rerank_cli.methods.graphs.one_row import from_transformers, hide, one_row_layer

#: transformers' model types of BERT's build whose classification head reads row 0 of the last layer.
PLAIN_ATTENTION = frozenset({"bert", "electra", "roberta", "xlm-roberta", "camembert"})


def keep_first_row(model: Any) -> bool:
    """Let the last layer of an encoder (or of a classifier's encoder) compute row 0 alone, in place; returns whether it could.

    The caller knows that nothing but row 0 of the last layer is read.
    """
    kind, encoder = model.config.model_type, model.base_model
    if not from_transformers(model):
        return False
    if kind in PLAIN_ATTENTION:
        layer = encoder.encoder.layer[-1]
        layer.attention = _first_row_attention(layer.attention)
    elif kind == "deberta-v2" and len(encoder.encoder.layer) > 1:  # a convolution may follow the first layer
        layer = encoder.encoder.layer[-1]
        layer.attention = _first_row_disentangled(layer.attention)
    elif kind == "modernbert":
        layer = encoder.layers[-1]
        encoder.layers[-1] = one_row_layer(layer, "attn_norm", "attn", _apart(layer.attn))
    else:
        return False
    return True


def _apart(attention: Any) -> Any:
    """ModernBERT's attention with its three projections, which are one matrix, taken apart."""
    import torch

    parts: Any = torch.nn.Module()
    parts.head_dim, parts.num_key_value_groups = attention.head_dim, 1
    parts.scaling = attention.head_dim**-0.5
    weights, biases = attention.Wqkv.weight.chunk(3), [None] * 3
    if attention.Wqkv.bias is not None:
        biases = attention.Wqkv.bias.chunk(3)
    for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases):
        part = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        part.weight = torch.nn.Parameter(weight.detach(), requires_grad=False)
        if bias is not None:
            part.bias = torch.nn.Parameter(bias.detach(), requires_grad=False)
        parts.add_module(name, part)
    parts.o_proj = attention.Wo
    return parts


def _first_row_attention(attention: Any) -> Any:
    import torch

    own = attention.self
    heads, size = own.num_attention_heads, own.attention_head_size

    class FirstRowAttention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.output = own, attention.output

        def forward(self, hidden_states: Any, attention_mask: Any = None, *_: Any, **__: Any) -> tuple[Any, None]:
            first = hidden_states[:, :1].contiguous()  # other strides, other rounding in 16 bits
            query = self.own.query(first).view(-1, heads, size) * size**-0.5
            keys, values = (part.weight.view(heads, size, -1) for part in (self.own.key, self.own.value))
            weights = torch.einsum("nhs,hsd->nhd", query, keys) @ hidden_states.transpose(1, 2)
            if attention_mask is not None:
                weights = hide(weights, attention_mask[:, :, 0])
            gathered = torch.softmax(weights, dim=-1) @ hidden_states
            answer = torch.einsum("nhd,hsd->nhs", gathered, values).reshape(-1, 1, heads * size) + self.own.value.bias
            return self.output(answer, first), None

    return FirstRowAttention()


def _first_row_disentangled(attention: Any) -> Any:
    """DeBERTa's attention of row 0: contents to contents, contents to positions ("c2p"), positions to contents ("p2c")."""
    import torch

    own = attention.self
    heads, size = own.num_attention_heads, own.attention_head_size
    scale = (size * (1 + ("c2p" in own.pos_att_type) + ("p2c" in own.pos_att_type))) ** -0.5

    def of_positions(name: str, embeddings: Any) -> Any:
        part = getattr(own, f"{name}_proj" if own.share_att_key else f"pos_{name}_proj")
        return part(embeddings).unflatten(-1, (heads, size))

    class FirstRowDisentangled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.output = own, attention.output

        def forward(
            self, hidden_states: Any, attention_mask: Any, *_: Any, relative_pos: Any, rel_embeddings: Any, **__: Any
        ) -> tuple[Any, None]:
            first = hidden_states[:, :1].contiguous()
            query = self.own.query_proj(first).unflatten(-1, (heads, size))
            keys = self.own.key_proj(hidden_states).unflatten(-1, (heads, size))
            asks: Any = query
            extra: Any = 0
            if self.own.relative_attention:
                span = self.own.pos_ebd_size
                if "p2c" in self.own.pos_att_type:
                    from_key = torch.clamp(span - relative_pos[0, :, 0], 0, 2 * span - 1)
                    asks = query + of_positions("query", rel_embeddings[: 2 * span])[from_key]
                if "c2p" in self.own.pos_att_type:
                    to_key = torch.clamp(span + relative_pos[0, 0], 0, 2 * span - 1)
                    positions = of_positions("key", rel_embeddings[: 2 * span])
                    extra = torch.einsum("nhs,phs->nhp", query[:, 0], positions)[..., to_key]
            weights = ((asks * keys).sum(-1).transpose(1, 2) + extra) * scale
            hidden = ~attention_mask[:, :, 0].bool()
            weights = torch.softmax(weights.masked_fill(hidden, torch.finfo(weights.dtype).min), dim=-1)
            values = self.own.value_proj
            answer = torch.einsum("nhd,hsd->nhs", weights @ hidden_states, values.weight.unflatten(0, (heads, size)))
            return self.output((answer.flatten(1) + values.bias)[:, None], first), None

    return FirstRowDisentangled()
