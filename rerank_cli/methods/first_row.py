"""Exact pruning: a head that reads the first token needs only that row of the last layer.

With one query row the last attention needs no keys and no values of its own: the key projection goes to
the query's side (its bias moves every weight alike, so softmax drops it), the value projection comes after the
weighted sum (weights sum to one, so its bias is added once). What is left of the layer costs next to nothing.
"""

from __future__ import annotations

from typing import Any

#: transformers' model types of BERT's build whose classification head reads row 0 of the last layer.
PLAIN_ATTENTION = frozenset({"bert", "electra", "roberta", "xlm-roberta", "camembert"})
#: The same with an attention of their own; only what follows it is pruned.
OWN_ATTENTION = frozenset({"deberta-v2"})


def keep_first_row(model: Any) -> bool:
    """Let the last layer of a classifier compute row 0 alone, in place; returns whether it could."""
    kind = model.config.model_type
    if kind not in PLAIN_ATTENTION | OWN_ATTENTION:
        return False
    layer = model.base_model.encoder.layer[-1]
    if kind in PLAIN_ATTENTION:
        layer.attention = _first_row_attention(layer.attention)
    else:
        layer.attention.output = _first_row_output(layer.attention.output)
    return True


def _first_row_attention(attention: Any) -> Any:
    import torch

    own = attention.self
    heads, size = own.num_attention_heads, own.attention_head_size

    class FirstRowAttention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own, self.output = own, attention.output

        def forward(self, hidden_states: Any, attention_mask: Any = None, *_: Any, **__: Any) -> tuple[Any, None]:
            first = hidden_states[:, :1]
            query = self.own.query(first).view(-1, heads, size) * size**-0.5
            keys, values = (part.weight.view(heads, size, -1) for part in (self.own.key, self.own.value))
            weights = torch.einsum("nhs,hsd->nhd", query, keys) @ hidden_states.transpose(1, 2)
            if attention_mask is not None:
                weights = weights + attention_mask[:, :, 0]
            gathered = torch.softmax(weights, dim=-1) @ hidden_states
            answer = torch.einsum("nhd,hsd->nhs", gathered, values).reshape(-1, 1, heads * size) + self.own.value.bias
            return self.output(answer, first), None

    return FirstRowAttention()


def _first_row_output(output: Any) -> Any:
    import torch

    class FirstRowOutput(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = output

        def forward(self, hidden_states: Any, input_tensor: Any) -> Any:
            return self.inner(hidden_states[:, :1], input_tensor[:, :1])

    return FirstRowOutput()
