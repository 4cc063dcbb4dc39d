"""Selection: a model names as many documents as the answer needs, best first, and leaves the others out.

`None` is an answer: no document is needed. A reply that cannot be read leaves nothing out: all documents keep their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

import numpy as np

from rerank_cli.core.method import Method
from rerank_cli.core.protocols import Reply, Slate
from rerank_cli.methods.words.worded import Asked, HowAsked, WordedRanker, prompt_of

if TYPE_CHECKING:
    from rerank_cli.inference.writing import Writer
    from rerank_cli.methods.checkpoint import Checkpoint

METHOD = Method(
    name="selection",
    asks="order",
    summary="a model names the documents that together answer the query, and no more",
    paper="Sun et al., DynamicRAG: Leveraging Outputs of Large Language Model as Feedback for Dynamic Reranking in Retrieval-Augmented Generation, arXiv:2505.07233",
    calls="1",
    score="rank",
    strategy="single",
    when="For retrieval that feeds a model with little room: one call names a handful of documents out of 20 to 40, and "
    "--select keeps only these. The others have no score and follow in the first stage's order. For a ranking that is measured "
    "to a fixed depth use listwise.",
)


class Selector(WordedRanker):
    """A `WordedRanker` whose unreadable replies leave nothing out."""

    def answer(self, slates: Sequence[Slate]) -> Iterator[tuple[int, Reply]]:
        """See `WordedRanker.answer`; NaN is a document that the model was free to leave out and left out."""
        for at, reply in super().answer(slates):
            if reply.repaired and np.isnan(reply.values).all():
                reply = reply._replace(values=np.arange(len(reply.values), 0, -1, dtype=np.float64))
            yield at, reply


def asked(checkpoint: Checkpoint, writer: Writer, prompt: Asked, **how: Unpack[HowAsked]) -> Selector:
    """A `Ranker` that selects, with the user's prompt, the checkpoint's or DynamicRAG's."""
    return Selector(METHOD, checkpoint, writer, prompt_of(prompt, checkpoint, "dynamicrag"), **how)
