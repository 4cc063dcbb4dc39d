"""Co-Prompt: query likelihood as a measure of a prompt, and as the score under the prompt that was chosen.

The score is the mean log-probability of the query's tokens after `Passage: ...` and the prompt. A prompt is as good
as this score is high for relevant pairs, so that a search over prompts needs no judgements of rankings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import likelihood

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="co-prompt",
    asks="score",
    summary="scores with the mean log-probability of the query's tokens after the document and a chosen prompt",
    paper="Cho et al., Discrete Prompt Optimization via Constrained Generation for Zero-shot Re-ranker, arXiv:2305.13729",
    calls="n",
    score="logprob",
    when=(
        "Query likelihood under a prompt that was searched for with a few judged pairs. Worth it when there is a "
        "causal model and no checkpoint for the domain; a trained cross-encoder of a tenth of the size is usually "
        "better and quicker."
    ),
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
PRECISIONS = likelihood.PRECISIONS
graph, reference, scorer = likelihood.graph, likelihood.reference, likelihood.scorer

TEMPLATE = "Passage: {document}\nPlease write a question based on this passage.{scored}{query}"


def record(source: Source) -> Record:
    """How this checkpoint is asked; see `likelihood_record`."""
    return likelihood.likelihood_record(source, TEMPLATE, mean=True)
