"""Graded relevance: a causal language model grades the document from 0 to 4, and the score is the grade it expects.

The mean over the grades' own probabilities tells documents apart that would get the same grade. The question is asked
in the model's own chat frame; nothing was trained for it.
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
    name="graded",
    asks="score",
    summary="asks a causal language model for a grade from 0 to 4 and scores the grade it expects",
    paper="Zhuang, Qin, Hui, Wu, Yan, Wang and Bendersky, Beyond Yes and No, arXiv:2310.14122",
    calls="n",
    score="grade",
    when=(
        "Zero-shot grading with any chat model: a scale of five tells more than yes or no, and the expectation "
        "over the grades breaks ties. Use it when there is a good general model and no reranker for the language "
        "or the domain."
    ),
)
MODEL_CLASS = causal.MODEL_CLASS
graph, reference, scorer = causal_graph.graph, causal_graph.reference, causal.scorer
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None

QUESTION = (
    "From a scale of 0 to 4, judge the relevance between the query and the document.\n"
    "Query: {query}\nDocument: {document}\nOutput:"
)
WORDS = ("0| 0", "1| 1", "2| 2", "3| 3", "4| 4")
asked = partial(asked_words, METHOD, WORDS, QUESTION)


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no causal model or a grade is not one token."""
    words = source.checkpoint.words or WORDS
    return causal.record_of(source, words=words, score="grade", question=QUESTION, values=list(range(len(words))))
