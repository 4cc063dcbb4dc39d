"""QLM: query likelihood with an instructed T5, as the comparison of setwise and pointwise prompting runs it.

Like UPR, but the target is the query alone, without an end; a padding token goes before it and is scored as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import likelihood
from rerank_cli.methods.graphs.t5_decoder import require_t5

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="qlm",
    asks="score",
    summary="scores with the log-probability of the query as a T5's question about the document",
    paper="Zhuang et al., A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking with LLMs, arXiv:2310.09497",
    calls="n",
    score="logprob",
    when=(
        "Query likelihood as the setwise and pairwise papers use it for a baseline. Zero-shot, one forward a "
        "document, no special checkpoint; upr asks the same with the prompt of its own paper."
    ),
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
PRECISIONS = likelihood.PRECISIONS
graph, reference, scorer = likelihood.graph, likelihood.reference, likelihood.scorer

TEMPLATE = "Passage: {document}\nPlease write a question based on this passage.{scored}{query}"


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5."""
    require_t5(source.config, source.checkpoint.name, "qlm")
    pad = int(source.config.get("pad_token_id") or 0)
    return likelihood.likelihood_record(source, TEMPLATE, before=(pad,))
