"""T5's decoder without keys and values of the text: for one step, or over a few given tokens.

The decoder looks at the encoder's states through a key and a value projection. Both are linear, so both can
be moved: the key projection to the query's side, the value projection after the weighted sum. For t decoder tokens
that costs t x d x d a layer instead of twice the text's length x d x d. A reranker's decoder reads one token, or a query's
dozen, where the text has hundreds: nothing of the text's length is left but two products with its states. Exact.

With one token the self-attention is a product of two matrices, and its position bias cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record

#: What a T5 may be computed in: the values inside its larger feed-forward layers leave the range of fp16.
PRECISIONS = ("fp32", "bf16", "int8")
TYPES = ("t5", "mt5")


def require_t5(config: dict[str, Any], name: str, method: str) -> int:
    """The decoder's start id of an encoder-decoder T5; raises `BadData` when `config` is of another model."""
    if config.get("model_type") not in TYPES:
        raise BadData(f"{name} is a {config.get('model_type')}; {method} needs a T5 or mT5")
    return int(config.get("decoder_start_token_id", config.get("pad_token_id", 0)) or 0)


def output_scale(model: Any) -> float:
    """What the decoder's output is multiplied with before the output matrix.

    T5 1.0 scales it by d**-0.5, because it shares the matrix with the embeddings; T5 1.1, Flan and mT5 do not.
    """
    config = model.config
    scaled = config.model_type == "t5" and getattr(config, "scale_decoder_outputs", config.tie_word_embeddings)
    return float(model.model_dim**-0.5) if scaled else 1.0


def one_step_graph(model: Any, directions: Any, score: Callable[[Any], Any], start_id: int) -> Any:
    """The module to export: ids, mask -> scores (n,), from the first step's products (n, m) with `directions (m, d)`.

    `directions` are rows of the output matrix, or sums of some: what is left of the vocabulary.
    """
    import torch

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = model.encoder, model.decoder
            self.directions = torch.nn.Parameter(directions.detach().float() * output_scale(model), requires_grad=False)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            # In fp32 whatever the encoder computed in: nearby labels are told apart here.
            return score(one_step(self.decoder, encoded, attention_mask, start_id).float() @ self.directions.T)

    return Graph().eval()


def one_step_reference(model: Any, record: Record, batch: dict[str, Any]) -> Any:
    """The record's words' logits (n, words) by the library's own forward pass: whole decoder, whole vocabulary."""
    import torch

    start = torch.full((len(batch["input_ids"]), 1), record.params["start_id"], device=batch["input_ids"].device)
    return model(**batch, decoder_input_ids=start, use_cache=False).logits[:, 0, list(record.words.values())].double()


def one_step(decoder: Any, encoded: Any, mask: Any, start_id: int) -> Any:
    """The decoder's last hidden state (n, d) after its start token, from the encoder's states (n, L, d)."""
    start = decoder.embed_tokens.weight[start_id].expand(encoded.shape[0], 1, -1)
    return _decoded(decoder, start, encoded, mask, lambda attention, hidden: attention.o(attention.v(hidden)))[:, 0]


def teacher_forced(decoder: Any, encoded: Any, mask: Any, ids: Any) -> Any:
    """The decoder's last hidden states (n, t, d) over given tokens `ids (n, t)`; later tokens do not change earlier states."""
    import torch

    length = ids.shape[1]
    bias = decoder.block[0].layer[0].SelfAttention.compute_bias(length, length)
    places = torch.arange(length, device=ids.device)
    bias = bias.masked_fill(places[None, :] > places[:, None], torch.finfo(bias.dtype).min)

    def attend(attention: Any, hidden: Any) -> Any:
        query, key, value = (by_head(part(hidden), attention) for part in (attention.q, attention.k, attention.v))
        weights = torch.softmax(query @ key.transpose(2, 3) + bias, dim=-1)
        return attention.o((weights @ value).transpose(1, 2).flatten(2))

    return _decoded(decoder, decoder.embed_tokens(ids), encoded, mask, attend)


def _decoded(decoder: Any, hidden: Any, encoded: Any, mask: Any, attend_to_itself: Callable[[Any, Any], Any]) -> Any:
    import torch

    hidden_from = ((1 - mask.to(encoded.dtype)) * torch.finfo(encoded.dtype).min)[:, None, :]
    for block in decoder.block:
        own, cross, feed = block.layer
        hidden = hidden + attend_to_itself(own.SelfAttention, own.layer_norm(hidden))
        hidden = hidden + _look(cross.EncDecAttention, cross.layer_norm(hidden), encoded, hidden_from)
        hidden = feed(hidden)
    return decoder.final_layer_norm(hidden)


def _look(attention: Any, hidden: Any, encoded: Any, hidden_from: Any) -> Any:
    """Cross-attention of hidden (n, t, d) to encoded (n, L, d), its projections moved off the length of the text."""
    import torch

    rows, size = hidden.shape[0], attention.key_value_proj_dim
    keys, values = (part.weight.view(attention.n_heads, size, -1) for part in (attention.k, attention.v))
    asked = by_head(attention.q(hidden), attention) @ keys  # (n, heads, t, d)
    weights = torch.softmax(asked.flatten(1, 2) @ encoded.transpose(1, 2) + hidden_from, dim=-1)
    gathered = (weights @ encoded).view(rows, attention.n_heads, -1, encoded.shape[-1])
    return attention.o((gathered @ values.transpose(1, 2)).transpose(1, 2).flatten(2))


def by_head(projected: Any, attention: Any) -> Any:
    """(n, t, heads x size) -> (n, heads, t, size)."""
    return projected.unflatten(-1, (attention.n_heads, attention.key_value_proj_dim)).transpose(1, 2)
