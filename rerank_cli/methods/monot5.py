"""monoT5: a T5 that answers `true` or `false` to "Query: ... Document: ... Relevant:".

One encoder pass and one decoder step; the score is the log-probability of the relevant word against the other,
log p(true). mT5 and ptT5 checkpoints are the same with other words, InRanker gives p itself.

The graph has nothing else in it: the encoder, one step of the decoder (see `t5_decoder`), and of the vocabulary's
rows the difference of two. TWOLAR, a Flan-T5, gives that margin itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rerank_cli.core.method import Method
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.graphs.t5_decoder import one_step_graph, one_step_reference, require_t5

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
    when=(
        "A strong, old and well understood pointwise model; its base is what papers compare with, its 3B holds "
        "its own out of domain. A document costs an encoder pass and one decoder step. duot5 over the best fifty "
        "is its classic second step."
    ),
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
#: onnxruntime's T5 fusion makes an operator that its CPU provider does not have.
FUSION: str | None = None

TEMPLATE = "Query: {query} Document: {document} Relevant:"
WORDS = ("▁false", "▁true")
MAX_LENGTH = 512


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks the words."""
    checkpoint = source.checkpoint
    start_id = require_t5(source.config, checkpoint.name, "monoT5")
    words = checkpoint.words
    if not words:
        words = WORDS
        if not checkpoint.score:  # not listed: nobody has told its words
            source.note(f"{checkpoint.name}: comparing the words {words[0]} and {words[1]}")
    ids = source.word_ids(words, "monoT5 compares the logits of these words; this checkpoint was trained with others")
    return source.new_record(
        score=checkpoint.score if checkpoint.score in ("logprob", "prob", "margin") else "logprob",
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or TEMPLATE,
        words=ids,
        params={"start_id": start_id},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> scores (n,)."""
    false_id, true_id = record.words.values()
    rows = model.lm_head.weight.float()
    direction = rows[true_id : true_id + 1] - rows[false_id : false_id + 1]
    return one_step_graph(model, direction, lambda margins: _scores(margins[:, 0], record), record.params["start_id"])


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass."""
    logits = one_step_reference(model, record, batch)
    if record.score == "margin":
        return logits[:, 1] - logits[:, 0]
    return logits.log_softmax(-1)[:, 1] if record.score == "logprob" else logits.softmax(-1)[:, 1]


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the template; the document is cut, never the sentence around it."""
    from rerank_cli.methods.pointwise import template_scorer

    return template_scorer(record, tokenizer, backend, max_length, batch_tokens)


def _scores(margin: Any, record: Record) -> Any:
    if record.score == "margin":
        return margin
    from torch import sigmoid
    from torch.nn.functional import softplus

    return -softplus(-margin) if record.score == "logprob" else sigmoid(margin)
