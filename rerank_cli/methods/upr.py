"""UPR: the document whose reader would most likely ask this query.

A language model that was never trained to rank is asked to write a question about the passage; the score is the
log-probability of `Question: ` and the query as its answer, its end of sequence included. All documents of a query
have the same target, so the sum orders as the mean would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import likelihood

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="upr",
    asks="score",
    summary="scores with the log-probability that a language model asks the query about the document",
    paper="Sachan et al., Improving Passage Retrieval with Zero-Shot Question Generation, arXiv:2204.07496",
    calls="n",
    score="logprob",
    when=(
        "Zero-shot: how likely is the query as a question about this document? It needs any T5 or causal model "
        "and no training for ranking, works in languages that have no reranker, and is beaten by any fine-tuned "
        "one."
    ),
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
PRECISIONS = likelihood.PRECISIONS
graph, reference, scorer = likelihood.graph, likelihood.reference, likelihood.scorer

#: Two blanks, as its authors have them: a head that ends with one, and a title that may be empty.
TEMPLATE = "Passage:  {document}. Please write a question based on this passage.{scored}Question: {query}"


def record(source: Source) -> Record:
    """How this checkpoint is asked; see `likelihood_record`."""
    return likelihood.likelihood_record(source, TEMPLATE, ends=True)
