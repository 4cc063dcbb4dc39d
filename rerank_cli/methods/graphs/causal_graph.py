"""The graph that every causal reranker shares: the last real token of a prompt, the output rows of a few words.

Prompts of one query begin alike (instruction, query): that part goes through the model once, and the keys and
values it leaves are what its documents' rows go on from. One graph does both: with no prefix before it it reads whole
prompts; asked to keep positions it returns their keys and values. The rest of the vocabulary is not in it, and
the last layer computes queries, output and feed-forward for the one position that is read. All exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record

#: transformers' model types that this graph is tested with.
FAMILIES = frozenset({"qwen2", "qwen3", "llama", "mistral", "gemma", "gemma2"})
#: Those that take a mask for each kind of layer.
_BY_LAYER = frozenset({"qwen2", "qwen3", "gemma2"})


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: rows (n, S) that go on from prefixes (q, P) -> answers, keys and values of the positions kept.

    The answers are scores (n,), or with `params["each"]` the logits of all labels (n, labels).

    `owner (n,)` names each row's prefix, `lengths (q,)` its real tokens, `prefix (2 x layers, q, heads, P, size)` its keys
    and values; `keep (k,)` are positions in the rows. P and k may be 0.
    """
    import torch

    decoder, config = model.base_model, model.config
    decoder.layers[-1] = _last_row(decoder.layers[-1])
    rows = [number for label in record.params["labels"] for number in label]
    head = model.get_output_embeddings()
    shape = record.params["prefix"]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = decoder
            self.rows = torch.nn.Parameter(head.weight[rows].detach().float(), requires_grad=False)
            bias = getattr(head, "bias", None)
            self.bias = None if bias is None else torch.nn.Parameter(bias[rows].detach().float(), requires_grad=False)
            #: What the exporter traces with, besides token ids and mask: name -> (example, names of its dynamic axes).
            self.more_inputs = {
                "owner": (torch.tensor([0, 1]), {0: "n"}),
                "prefix": (
                    torch.zeros(2 * shape["layers"], 2, shape["heads"], 3, shape["size"]),
                    {1: "q", 3: "before"},
                ),
                "lengths": (torch.tensor([3, 2]), {0: "q"}),
                "keep": (torch.tensor([0, 1]), {0: "kept"}),
            }
            self.more_outputs = {"kept_states": {1: "n", 3: "kept"}}

        def forward(
            self, input_ids: Any, attention_mask: Any, owner: Any, prefix: Any, lengths: Any, keep: Any
        ) -> tuple[Any, Any]:
            before = lengths[owner][:, None]
            positions = before + torch.arange(input_ids.shape[1], device=input_ids.device)[None]
            places = torch.arange(prefix.shape[3], device=input_ids.device)[None].expand(input_ids.shape[0], -1)
            cache = _Prefix(prefix.to(decoder.dtype), owner, keep, attention_mask.sum(1) - 1)
            state = (
                self.decoder(
                    input_ids=input_ids,
                    attention_mask=_masks(
                        config,
                        torch.cat([places, positions], 1),
                        torch.cat([places < before, attention_mask > 0], 1),
                        positions,
                        decoder.dtype,
                    ),
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=False,
                )
                .last_hidden_state[:, 0]
                .float()
            )
            logits = torch.nn.functional.linear(state, self.rows, self.bias)
            return _scores(_capped(logits, config), record), torch.stack(cache.kept).float()

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass over whole prompts and the whole vocabulary, in double precision."""
    import torch

    logits = model(**batch, use_cache=False).logits
    last = logits[torch.arange(len(logits)), batch["attention_mask"].sum(1) - 1].double()
    if record.params.get("each"):
        return torch.stack([last[:, label].amax(-1) for label in record.params["labels"]], 1)
    labels = torch.stack([last[:, label].logsumexp(-1) for label in record.params["labels"]], 1)
    if record.score == "logit":
        return labels[:, 0]
    if record.score == "margin":
        return labels[:, 1] - labels[:, 0]
    if record.score == "grade":
        return labels.softmax(-1) @ torch.tensor(record.params["values"], dtype=torch.double)
    return labels.log_softmax(-1)[:, 1] if record.score == "logprob" else labels.softmax(-1)[:, 1]


def _capped(logits: Any, config: Any) -> Any:
    """Gemma 2's logits end softly at a bound."""
    bound = getattr(config, "final_logit_softcapping", None)
    return logits if bound is None else (logits / bound).tanh() * bound


class _Prefix:
    """What transformers takes for a cache: it puts the prefixes' keys and values before the rows' own."""

    def __init__(self, prefix: Any, owner: Any, keep: Any, last: Any) -> None:
        self._prefix, self._owner, self._keep = prefix, owner, keep
        #: The position (n,) in each row that is read.
        self.last = last
        #: Keys and values of the positions to keep, layer by layer.
        self.kept: list[Any] = []

    def update(self, keys: Any, values: Any, layer: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        import torch

        self.kept += [own.index_select(2, self._keep) for own in (keys, values)]
        before = (self._prefix[2 * layer + i].index_select(0, self._owner) for i in (0, 1))
        whole = [torch.cat([first, own], 2) for first, own in zip(before, (keys, values))]
        return whole[0], whole[1]


def _last_row(layer: Any) -> Any:
    """A decoder's last layer for the last token alone: keys and values of all positions, the rest of one."""
    import importlib

    import torch

    own = layer.self_attn
    rotated = importlib.import_module(type(own).__module__).apply_rotary_pos_emb

    class LastRow(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(
            self, hidden_states: Any, attention_mask: Any, position_embeddings: Any, past_key_values: Any, **_: Any
        ) -> Any:
            everything = self.layer.input_layernorm(hidden_states)
            keys, values = (made(everything).unflatten(-1, (-1, own.head_dim)) for made in (own.k_proj, own.v_proj))
            keys = own.k_norm(keys) if hasattr(own, "k_norm") else keys
            keys = rotated(keys.transpose(1, 2), keys.transpose(1, 2), *position_embeddings)[1]
            last = past_key_values.last
            return self.layer(
                _row(hidden_states, last),
                attention_mask=_row(attention_mask[:, 0], last)[:, None],
                position_embeddings=tuple(_row(part, last) for part in position_embeddings),
                past_key_values=_Made(past_key_values.update(keys, values.transpose(1, 2), own.layer_idx)),
            )

    return LastRow()


class _Made:
    """A cache that answers with keys and values made beforehand."""

    def __init__(self, made: tuple[Any, Any]) -> None:
        self._made = made

    def update(self, *_: Any, **__: Any) -> tuple[Any, Any]:
        return self._made


def _row(states: Any, last: Any) -> Any:
    """Row `last[i]` of each `states[i]`: (n, L, d) -> (n, 1, d)."""
    return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[-1]))


def _masks(config: Any, places: Any, visible: Any, positions: Any, dtype: Any) -> Any:
    """The additive mask (n, 1, S, P + S): real tokens at or before a position, within the window where a layer has one."""
    import torch

    places, positions = places[:, None], positions[..., None]
    causal = visible[:, None] & (places <= positions)

    def additive(allowed: Any) -> Any:
        return torch.where(allowed, 0.0, torch.finfo(dtype).min).to(dtype)[:, None]

    window = getattr(config, "sliding_window", None)
    near = additive(causal & (places > positions - window)) if window else None
    if config.model_type not in _BY_LAYER:
        return additive(causal) if near is None else near
    return {kind: near if kind == "sliding_attention" else additive(causal) for kind in set(config.layer_types)}


def _scores(logits: Any, record: Record) -> Any:
    """Logits of the words (n, words) -> scores (n,), or each label's logit (n, labels): its best spelling's."""
    import torch
    from torch.nn.functional import softplus

    each = record.params.get("each", False)
    columns = []
    start = 0
    for label in record.params["labels"]:
        own = logits[:, start : start + len(label)]
        columns.append(own[:, 0] if len(label) == 1 else own.amax(-1) if each else own.logsumexp(-1))
        start += len(label)
    if each:
        return torch.stack(columns, 1)
    if record.score == "logit":
        return columns[0]
    if record.score == "grade":
        values = torch.tensor(record.params["values"], dtype=logits.dtype, device=logits.device)
        return (torch.stack(columns, 1).softmax(-1) * values).sum(-1)
    margin = columns[1] - columns[0]
    if record.score == "margin":
        return margin
    return -softplus(-margin) if record.score == "logprob" else margin.sigmoid()
