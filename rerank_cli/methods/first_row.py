"""Exact pruning: a head that reads the first token needs only that row of the last layer.

After the last attention, the output projection, the feed-forward block and the norms of every other row
are work nobody reads. Only encoders of BERT's build (BERT, ELECTRA, RoBERTa, XLM-R, DeBERTa) are touched: there
the part after the attention is one module, and their classification heads read row 0.
"""

from __future__ import annotations

from typing import Any

#: transformers' model types whose classification head reads row 0 of the last layer.
FIRST_ROW_HEADS = frozenset({"bert", "electra", "roberta", "xlm-roberta", "camembert"})


def keep_first_row(model: Any) -> bool:
    """Let the last layer of `model` go on with row 0 alone, in place; returns whether it could."""
    if model.config.model_type not in FIRST_ROW_HEADS:
        return False
    import torch

    class FirstRow(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, hidden_states: Any, input_tensor: Any) -> Any:
            return self.inner(hidden_states[:, :1], input_tensor[:, :1])

    attention = model.base_model.encoder.layer[-1].attention
    attention.output = FirstRow(attention.output)
    return True
