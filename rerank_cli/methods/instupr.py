"""InstUPR: an instructed T5 grades the document from 1 to 5, and the score is the grade it expects.

The mean over the five grades' own probabilities tells documents apart that would get the same grade. The softmax is
over the grades alone: what a model gives to other words says nothing about the document.

The graph is the encoder, one step of the decoder (see `t5_decoder`) and five rows of the vocabulary.
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
    name="instupr",
    asks="score",
    summary="asks an instructed T5 for a grade from 1 to 5 and scores the grade it expects",
    paper="Huang and Chen, InstUPR: Instruction-based Unsupervised Passage Reranking with LLMs, arXiv:2403.16435",
    calls="n",
    score="grade",
    when=(
        "Zero-shot grades from an instructed T5, without training. A pointwise first step before instupr-pairs "
        "over the best thirty, as its authors ran it; alone it is coarse."
    ),
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

TEMPLATE = (
    "Rate the relevance and similarity of the query and the context with an integer score from 1 to 5, where 1 means "
    '"completely irrelevant or nonsensical" and 5 means "completely relevant"\n\n'
    "Query: {query}\n\nContext: {document}\n\nScore:"
)
WORDS = ("▁1", "▁2", "▁3", "▁4", "▁5")
MAX_LENGTH = 512


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks a grade."""
    checkpoint = source.checkpoint
    start_id = require_t5(source.config, checkpoint.name, "InstUPR")
    return source.new_record(
        score="grade",
        inputs=("input_ids", "attention_mask"),
        max_length=checkpoint.max_length or MAX_LENGTH,
        template=checkpoint.template or TEMPLATE,
        words=source.word_ids(checkpoint.words or WORDS, "InstUPR compares the logits of its grades"),
        params={"start_id": start_id},
    )


def graph(model: Any, record: Record, folder: Path) -> Any:
    """The module to export: ids, mask -> scores (n,)."""
    rows = model.lm_head.weight[list(record.words.values())]
    return one_step_graph(model, rows, _expected, record.params["start_id"])


def reference(model: Any, record: Record, folder: Path, batch: dict[str, Any]) -> Any:
    """The scores by the library's own forward pass."""
    return _expected(one_step_reference(model, record, batch))


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> PairScorer:
    """A `Scorer` over the template; the document is cut, never the sentences around it."""
    from rerank_cli.methods.pointwise import template_scorer

    return template_scorer(record, tokenizer, backend, max_length, batch_tokens)


def _expected(logits: Any) -> Any:
    """The mean grade (n,), counted from 1, under the softmax of `logits (n, grades)`."""
    import torch

    grades = torch.arange(1, logits.shape[-1] + 1, dtype=logits.dtype, device=logits.device)
    return (logits.softmax(-1) * grades).sum(-1)
