"""Pairwise ranking prompting: which of two passages, A or B, answers the query better? Asked in both orders.

An instructed model has a liking for A, or for B; only a passage that wins as A and as B has won. The logits of the two
letters after `Passage` are compared, which is what greedy writing would choose between, and cannot write anything else.
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
    name="prp",
    asks="prefer",
    summary="asks an instructed model which of two passages is the more relevant, in both orders, and sorts with it",
    paper="Qin, Jagerman, Hui et al., Large Language Models are Effective Text Rankers with Pairwise Ranking Prompting, arXiv:2306.17563",
    calls="about 3.8 × n + 4 × (k − 1) × log2(n)",
    score="prob",
    strategy="heapsort",
    settings={"orders": "both"},
    when="A model of a few billion weights that follows instructions, and nothing to train it with: the easiest question "
    "there is, so small models answer it well. Heapsort finds the first ten of 100 in about 560 calls; allpairs asks "
    "9,900 and is steadier, and sliding (ten passes of bubblesort) lies between. setwise asks about more documents at once and is "
    "several times cheaper.",
)
MODEL_CLASS, MAY_LACK, FUSION = likelihood.model_class, likelihood.MAY_LACK, likelihood.FUSION
graph, reference, scorer = labels.graph, labels.reference, partial(slate_ranker, METHOD)
#: Of a server, or of a model here with --prompt: in words.
asked = partial(worded, METHOD, "prp")

TEMPLATE = (
    'Given a query "{query}", which of the following two passages is more relevant to the query?\n\n'
    '{each}Passage {label}: "{document}"{between}\n\n{end}\n\nOutput Passage A or Passage B:'
)
#: Tokens of both passages together with the prompt: its authors' 128 a passage and more, for a T5 and for others.
MAX_LENGTH, CAUSAL_MAX_LENGTH = 512, 2048


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is neither a T5 nor a causal model, or A and B are no tokens."""
    if labels.is_t5(source):
        return labels.t5_record(source, TEMPLATE, score="prob", labels="AB", cue="Passage", length=MAX_LENGTH)
    return labels.causal_record(source, TEMPLATE, score="prob", labels="AB", cue=" Passage:", length=CAUSAL_MAX_LENGTH)
