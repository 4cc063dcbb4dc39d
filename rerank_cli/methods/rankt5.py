"""RankT5: a T5 trained to rank, whose score is one logit of the decoder's first step.

monoT5 learns words and a ranking falls out of them; RankT5 learns the ranking itself, with a loss over a query's
documents. The number it learned to use is the logit of `<extra_id_10>`, a piece that no text contains. It is taken as it
is: a softmax over the vocabulary would let the other pieces, which mean nothing here, change the order.

The graph is the encoder, one step of the decoder (see `t5_decoder`) and one row of the vocabulary.
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
    name="rankt5",
    asks="score",
    summary="scores with one logit of a T5 that was trained with a ranking loss",
    paper="Zhuang et al., RankT5: Fine-Tuning T5 for Text Ranking with Ranking Losses, arXiv:2210.10634",
    calls="n",
    score="logit",
    when=(
        "A T5 that was trained to rank with a list-wise loss: the same cost as monoT5, often a point better, in "
        "arbitrary units that mean nothing alone."
    ),
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

TEMPLATE = "Query: {query} Document: {document}"
WORDS = ("<extra_id_10>",)
MAX_LENGTH = 512


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks `<extra_id_10>`."""
    checkpoint = source.checkpoint
    start_id = require_t5(source.config, checkpoint.name, "RankT5")
    words = checkpoint.words or WORDS
    return source.new_record(
        score="logit",
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or TEMPLATE,
        words=source.word_ids(words, "RankT5 scores with the logit of this piece"),
        params={"start_id": start_id},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> scores (n,)."""
    rows = model.lm_head.weight[list(record.words.values())]
    return one_step_graph(model, rows, lambda logits: logits[:, 0], record.params["start_id"])


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass."""
    return one_step_reference(model, record, batch)[:, 0]


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the template; the document is cut, never the sentence around it."""
    from rerank_cli.methods.pointwise import template_scorer

    return template_scorer(record, tokenizer, backend, max_length, batch_tokens)
