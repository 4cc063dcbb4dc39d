"""Yes or no: a causal language model reads instruction, query and document, and the logits of two words are the score.

Qwen3-Reranker, ProRank (mxbai-rerank v2), bge-reranker-v2-gemma and any instruction-tuned model that is simply asked.
What is read and which words answer belong to the checkpoint (`models.toml`), to the byte: a missing empty think block or
a word with a blank before it moves every score. A model that is not listed is asked a plain question in its own chat
frame, and every spelling of yes and no that is one token counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import causal
from rerank_cli.methods.graphs import causal_graph
from rerank_cli.methods.words.asked_words import asked_words

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="yes-no",
    asks="score",
    summary="asks a causal language model whether the document is relevant and compares the logits of yes and no",
    paper="Zhang, Li, Long et al., Qwen3 Embedding, arXiv:2506.05176",
    calls="n",
    score="prob",
    when=(
        "One forward of a language model and the logits of two words. Qwen3-Reranker and mxbai-rerank v2 are "
        "among the best pointwise models there are and read an instruction; an unlisted chat model can be asked "
        "in the same way. Wants a GPU from a billion parameters up."
    ),
)
MODEL_CLASS = causal.MODEL_CLASS
graph, reference, scorer = causal_graph.graph, causal_graph.reference, causal.scorer
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

QUESTION = "Query: {query}\nDocument: {document}\nDoes the document answer the query? Answer yes or no."
WORDS = ("no| no|No| No|NO| NO", "yes| yes|Yes| Yes|YES| YES")
asked = partial(asked_words, METHOD, WORDS, QUESTION)
_SCORES = ("logit", "margin", "logprob", "prob")


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no causal model or a word is not one token."""
    words = source.checkpoint.words or WORDS
    score = source.checkpoint.score if source.checkpoint.score in _SCORES else METHOD.score
    return causal.record_of(source, words=words, score="logit" if len(words) == 1 else score, question=QUESTION)
