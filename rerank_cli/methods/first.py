"""FIRST: a listwise reranker's whole order from the logits of the first identifier it would write.

A model trained to write `[C] > [A] > …` tells its order before it writes: after `[`, the logits of the letters rank the
passages. One forward pass a window, where writing the list takes a pass for each of its tokens, and every letter has a logit,
so there is nothing to repair. What the model reads, passages cut to 300 words included, is as its authors' code writes it.
"""

from __future__ import annotations

import re
import string
from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import causal, labels
from rerank_cli.methods.slates import slate_ranker
from rerank_cli.methods.words.worded import worded

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="first",
    asks="order",
    summary="ranks a window of passages by the logits of the first identifier that a listwise reranker would write",
    paper="Reddy, Doo, Xu, Sultan, Swain, Sil and Ji, FIRST: Faster Improved Listwise Reranking with Single Token Decoding, arXiv:2406.15657",
    calls="(n − 20) / 10 + 1",
    score="logit",
    strategy="sliding",
    settings={"window": 20, "step": 10},
    when="A listwise reranker for the price of reading: 9 passes of a 7B model rank 100 passages, and nothing is written. "
    "Its checkpoints were trained with 20 passages a window, the letters allow 26. Other chat models can be asked so too, "
    "but were not trained to have the whole order in their first letter; setwise is the question for them.",
)
MODEL_CLASS = causal.MODEL_CLASS
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
graph, reference = labels.graph, labels.reference

SYSTEM = "You are RankLLM, an intelligent assistant that can rank passages based on their relevancy to the query"
TEMPLATE = (
    "I will provide you with {num} passages, each indicated by a alphabetical identifier []. Rank the passages based on "
    "their relevance to the search query: {query}.\n\n{each}[{label}] {document}\n{between}{end}Search Query: {query}.\n"
    "Rank the {num} passages above based on their relevance to the search query. All the passages should be included and "
    "listed using identifiers, in descending order of relevance. The output format should be [] > [], e.g., [B] > [A], "
    "Only respond with the ranking results, do not say any word or explain."
)
MAX_LENGTH = 4096
#: Words of a passage that are read.
WORDS = 300
_IDENTIFIER = re.compile(r"\[([A-Za-z]+)\]")


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no causal model or A and B are not one token each."""
    return labels.causal_record(
        source, TEMPLATE, score="logit", labels=string.ascii_uppercase, cue="[", length=MAX_LENGTH, system=SYSTEM
    )


def passage(text: str) -> tuple[str, bool]:
    """A passage's first words with single blanks, and identifiers in it in round brackets; whether it was cut."""
    words = text.split()
    return _IDENTIFIER.sub(r"(\1)", " ".join(words[:WORDS])), len(words) > WORDS


scorer = partial(slate_ranker, METHOD, passage=passage)
#: Of a server, or of a model here with --prompt: in words.
asked = partial(worded, METHOD, "first")
