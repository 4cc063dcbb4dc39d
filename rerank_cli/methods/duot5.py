"""duoT5: a T5 that reads a query and two documents and says whether the first is the more relevant.

p(first beats second) is the softmax of the logits of two words after one decoder step. The order of the two matters:
p(a, b) and p(b, a) need not add up to one, so both are asked, and a document's score is the sum over all its duels.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import labels
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.slates import slate_ranker

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="duot5",
    asks="prefer",
    summary="asks a T5 which of two documents is the more relevant and adds up each one's duels",
    paper="Pradeep, Nogueira and Lin, The Expando-Mono-Duo Design Pattern for Text Ranking, arXiv:2101.05667",
    calls="n × (n − 1)",
    score="prob",
    strategy="allpairs",
    settings={"aggregate_by": "sym-sum"},
    when="The last stage after monoT5: it puts the very first places right, because it sees the documents that it must tell "
    "apart side by side. Every ordered pair is a model call, so its authors give it the first 50 documents at most (2,450 "
    "calls a query; 20 documents are 380). Where that is too much, sample a third of the pairs, or use monot5-3b.",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
graph, reference, scorer = labels.graph, labels.reference, partial(slate_ranker, METHOD)

TEMPLATE = "Query: {query} {each}Document{label}: {document}{between} {end} Relevant:"
#: What it says when the first document is the better, and when the second is.
WORDS = ("▁true", "▁false")
MAX_LENGTH = 512


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks the words."""
    return labels.t5_record(source, TEMPLATE, score="prob", labels="01", words=WORDS, length=MAX_LENGTH)
