"""Setwise prompting by likelihood: which of these passages, A to W, is the most relevant?

The model's probabilities of the letters after `Passage` rank all passages of the question, not only the best, in one
forward pass: the values are log-probabilities under the softmax over the question's own letters.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import labels, likelihood
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.slates import slate_ranker
from rerank_cli.methods.words.worded import worded

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="setwise",
    asks="order",
    summary="asks an instructed model which of several passages is the most relevant and reads its probability of each",
    paper="Zhuang et al., A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking with LLMs, arXiv:2310.09497",
    calls="about n / c + k × log(n) / log(c), c = 3 passages compared with one",
    score="logprob",
    strategy="heapsort",
    settings={"fanout": 3},
    when="The cheap way to rank with a model that follows instructions: heapsort with four passages a question finds the "
    "first ten of 100 in about 80 calls, where prp takes 560. FLAN-T5 large is enough to beat BM25 clearly, xl is better. "
    "The values rank every passage of a question, so windows, tournaments and blocks can use it too.",
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
graph, reference, scorer = labels.graph, labels.reference, partial(slate_ranker, METHOD)
#: Of a server, or of a model here with --prompt: in words.
asked = partial(worded, METHOD, "setwise")

TEMPLATE = (
    'Given a query "{query}", which of the following passages is the most relevant one to the query?\n\n'
    '{each}Passage {label}: "{document}"{between}\n\n{end}\n\nOutput only the passage label of the most relevant passage:'
)
#: As far as T5 writes one token after `Passage`: X, Y and Z are two.
LABELS = "ABCDEFGHIJKLMNOPQRSTUVW"
MAX_LENGTH, CAUSAL_MAX_LENGTH = 1024, 4096


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is neither a T5 nor a causal model, or A and B are no tokens."""
    if labels.is_t5(source):
        return labels.t5_record(source, TEMPLATE, score="logprob", labels=LABELS, cue="Passage", length=MAX_LENGTH)
    return labels.causal_record(
        source, TEMPLATE, score="logprob", labels=LABELS, cue=" Passage:", length=CAUSAL_MAX_LENGTH
    )
