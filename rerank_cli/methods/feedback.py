"""Relevance feedback over embeddings: documents that are taken for relevant help the query find more of their kind.

A query says little; a relevant document says the same in many words. The first stage's best documents are taken for
relevant (pseudo-relevance feedback), and each document is compared with them too. Two ways are the field's: Rocchio
adds the mean of the documents' vectors to the query's, with a weight; k nearest neighbours adds up a document's
similarities with the query and with each of them. Similarities are products, so the sum is Rocchio with the number of
documents as its weight. That much suits documents that somebody has judged; those that are only taken for relevant
should count less than the query, because a document that is fed back is most like itself, be it right or wrong.

J. Rocchio: Relevance feedback in information retrieval. The SMART Retrieval System, 1971.
T. Baumgärtner et al.: Incorporating relevance feedback for information-seeking retrieval. EMNLP 2022, arXiv:2210.10695.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.methods import bi_encoder
from rerank_cli.methods.bi_encoder import FUSION, MAY_LACK, MODEL_CLASS, graph, reference
from rerank_cli.methods.lists import TextLists
from rerank_cli.methods.vectors import rocchio

if TYPE_CHECKING:
    from rerank_cli.core.protocols import Slate
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.pointwise import LoadedBackend
    from rerank_cli.methods.source import Source

__all__ = ["FUSION", "MAY_LACK", "METHOD", "MODEL_CLASS", "graph", "record", "reference", "scorer"]

METHOD = Method(
    name="feedback",
    asks="rate",
    summary="compares each document with the query and with the first stage's best documents, as vectors",
    paper="Rocchio, Relevance feedback, 1971; Baumgärtner et al., arXiv:2210.10695",
    calls="n + 1",
    score="dot",
    strategy="single",
    when=(
        "Good where a query is a few words and the first stage finds something right near the top: the documents found "
        "say in many words what the query meant. It costs what a bi-encoder costs, one small forward pass a text, and "
        "documents' vectors are kept from query to query. Where the first stage's best documents are wrong it walks "
        "after them; a cross-encoder, which reads every pair anew, is more exact."
    ),
)

#: How many documents are fed back, and how much their mean counts beside the query: the best on three collections together.
DEFAULTS: dict[str, Any] = {"fed_back": 2, "weight": 0.5}


def record(source: Source) -> Record:
    """As the bi-encoder's, with the checkpoint's own feedback."""
    from dataclasses import replace

    told = DEFAULTS | dict(source.checkpoint.params)
    own = bi_encoder.record(source)
    return replace(own, score="dot", params=own.params | {"similarity": own.score, "feedback": told})


def scorer(
    record: Record, tokenizer: Any, backend: LoadedBackend, max_length: int | None, batch_tokens: int | None
) -> FeedbackScorer:
    """A `ListScorer`."""
    return FeedbackScorer(
        bi_encoder.text_model(record, tokenizer, backend, max_length, batch_tokens),
        record.name,
        record.params["feedback"],
    )


class FeedbackScorer(TextLists):
    """A `core.protocols.ListScorer`; the list's order says which documents are fed back, the first stage's scores do not count."""

    def __init__(self, model: Any, name: str, feedback: dict[str, Any]) -> None:
        super().__init__(model, name)
        self._feedback = feedback

    def rated(
        self, query: np.ndarray, documents: Sequence[np.ndarray], slate: Slate
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """See `TextLists.rated`."""
        best = np.argsort(slate.positions, kind="stable")[: self._feedback["fed_back"]]
        vectors = np.stack(documents)
        moved = rocchio(query, vectors[best], self._feedback["weight"])
        return (vectors @ moved).astype(np.float64), {"fed_back": len(best)}
