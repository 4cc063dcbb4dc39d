"""Coder-Reviewer: how likely is the query given the document, and the document given the query?

A document that a model finds likely after any query should not win by that; asking in both directions keeps it from
it. Both log-probabilities are means over their tokens: a sum over a document's tokens would put short documents first
(the paper, whose candidates are programs, reports both). Two likelihoods a pair, in one graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import likelihood

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="coder-reviewer",
    asks="score",
    summary="adds the log-probabilities of the query given the document and of the document given the query",
    paper="Zhang et al., Coder Reviewer Reranking for Code Generation, arXiv:2211.16490",
    calls="2n",
    score="logprob",
    when=(
        "Twice the cost of query likelihood for a score that also asks how probable the document is after the "
        "query, which punishes generic documents. Use it when plain likelihood prefers short or vague texts."
    ),
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
PRECISIONS = likelihood.PRECISIONS
graph, reference, scorer = likelihood.graph, likelihood.reference, likelihood.scorer

TEMPLATE = (
    "Passage: {document}\nPlease write a question based on this passage.{scored}{query}"
    + likelihood.TURN
    + "Question: {query}\nPlease write a passage that answers this question.{scored}{document}"
)


def record(source: Source) -> Record:
    """How this checkpoint is asked; a document as target may be as long as one that is given."""
    return likelihood.likelihood_record(source, TEMPLATE, mean=True, target_length=likelihood.MAX_LENGTH)
