"""monoT5: a T5 that answers `true` or `false` to "Query: ... Document: ... Relevant:".

One encoder pass and one decoder step; the score is the log-probability of the relevant word against the other,
log p(true). mT5, ptT5 and InRanker checkpoints are the same with other words (InRanker gives p itself).

The graph has nothing else in it. One decoder step attends to one token of its own, so its self-attention is
a product of two matrices; its cross-attention has one query, so the key and value projections go to the query's side
and no key or value of the encoder's output is ever made; of the vocabulary's rows two are left. All exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.errors import BadData

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend, PairScorer
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="monot5",
    asks="score",
    summary="asks a T5 whether the document is relevant and scores log p(true)",
    paper="Nogueira, Jiang, Pradeep and Lin, Document Ranking with a Pretrained Sequence-to-Sequence Model, arXiv:2003.06713",
    calls="n",
    score="logprob",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
#: onnxruntime's T5 fusion makes an operator that its CPU provider does not have.
FUSION: str | None = None

TEMPLATE = "Query: {query} Document: {document} Relevant:"
WORDS = ("▁false", "▁true")
MAX_LENGTH = 512
_TYPES = ("t5", "mt5")


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks the words."""
    checkpoint, config = source.checkpoint, source.config
    if config.get("model_type") not in _TYPES:
        raise BadData(f"{checkpoint.name} is a {config.get('model_type')}; monoT5 needs a T5 or mT5")
    words = checkpoint.words
    if not words:
        words = WORDS
        if not checkpoint.score:  # not listed: nobody has told its words
            source.note(f"{checkpoint.name}: comparing the words {words[0]} and {words[1]}")
    ids = {word: source.tokenizer.token_to_id(word) for word in words}
    absent = [word for word, number in ids.items() if number is None]
    if absent:
        raise BadData(
            f"the vocabulary of {checkpoint.name} has no piece {' and no piece '.join(absent)}",
            "monoT5 compares the logits of these words; this checkpoint was trained with others",
        )
    return source.new_record(
        score=checkpoint.score if checkpoint.score in ("logprob", "prob", "margin") else "logprob",
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or TEMPLATE,
        words=ids,
        params={"start_id": int(config.get("decoder_start_token_id", config.get("pad_token_id", 0)) or 0)},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> scores (n,)."""
    import torch

    false_id, true_id = record.words.values()
    scale = model.model_dim**-0.5 if _is_scaled(model) else 1.0

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = model.encoder, model.decoder
            rows = model.lm_head.weight
            self.direction = torch.nn.Parameter((rows[true_id] - rows[false_id]).detach() * scale, requires_grad=False)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            encoded = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            hidden = _one_step(self.decoder, encoded, attention_mask, record.params["start_id"])
            return _scores(hidden @ self.direction, record)

    return Graph().eval()


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass: whole decoder, whole vocabulary."""
    import torch

    start = torch.full((len(batch["input_ids"]), 1), record.params["start_id"], device=batch["input_ids"].device)
    logits = model(**batch, decoder_input_ids=start, use_cache=False).logits[:, 0, list(record.words.values())].double()
    if record.score == "margin":
        return logits[:, 1] - logits[:, 0]
    return logits.log_softmax(-1)[:, 1] if record.score == "logprob" else logits.softmax(-1)[:, 1]


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the template; the document is cut, never the sentence around it."""
    from rerank_cli.inference.tokens import TemplateTokens
    from rerank_cli.methods.exported import chosen_length
    from rerank_cli.methods.pointwise import PairScorer, description

    empty = tokenizer.encode(record.template.format(query="", document=""))
    length = chosen_length(record, max_length, len(empty.ids))
    tokens = TemplateTokens(tokenizer, length, record.template)
    return PairScorer(tokens, backend, record, description(record, backend, length, record.template, batch_tokens))


def _one_step(decoder: Any, encoded: Any, mask: Any, start_id: int) -> Any:
    """The decoder's last hidden state (n, d) after its start token, from the encoder's states (n, L, d)."""
    import torch

    hidden = decoder.embed_tokens.weight[start_id].expand(encoded.shape[0], -1)
    hidden_from = (1 - mask.to(encoded.dtype)) * torch.finfo(encoded.dtype).min
    for block in decoder.block:
        own, cross, feed = block.layer
        hidden = hidden + own.SelfAttention.o(own.SelfAttention.v(own.layer_norm(hidden)))
        attention = cross.EncDecAttention
        heads, size = attention.n_heads, attention.key_value_proj_dim
        query = attention.q(cross.layer_norm(hidden)).view(-1, heads, size)
        keys, values = (part.weight.view(heads, size, -1) for part in (attention.k, attention.v))
        asked = torch.einsum("nhs,hsd->nhd", query, keys)
        weights = torch.softmax(asked @ encoded.transpose(1, 2) + hidden_from[:, None, :], dim=-1)
        gathered = torch.einsum("nhd,hsd->nhs", weights @ encoded, values)
        hidden = hidden + attention.o(gathered.reshape(-1, heads * size))
        hidden = feed(hidden)
    return decoder.final_layer_norm(hidden)


def _is_scaled(model: Any) -> bool:
    """T5 1.0 scales the decoder's output before the matrix it shares with the embeddings; T5 1.1, Flan and mT5 do not."""
    config = model.config
    return config.model_type == "t5" and bool(getattr(config, "scale_decoder_outputs", config.tie_word_embeddings))


def _scores(margin: Any, record: Record) -> Any:
    if record.score == "margin":
        return margin
    from torch import sigmoid
    from torch.nn.functional import softplus

    return -softplus(-margin) if record.score == "logprob" else sigmoid(margin)
