"""InstUPR's second stage: an instructed T5 answers A or B to which of two documents is the more relevant.

Nothing was trained for it. p(A) is the softmax over the two letters alone; a document's score is the sum over its duels.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import labels
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.slates import slate_ranker
from rerank_cli.methods.words.worded import worded

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="instupr-pairs",
    asks="prefer",
    summary="asks an instructed T5 which of two documents, A or B, is the more relevant and adds up each one's duels",
    paper="Huang and Chen, InstUPR: Instruction-based Unsupervised Passage Reranking with LLMs, arXiv:2403.16435",
    calls="n × (n − 1)",
    score="prob",
    strategy="allpairs",
    settings={"aggregate_by": "sym-sum"},
    when="The second stage of InstUPR, for a collection without judgements to train on: it reorders the first 30 documents "
    "that instupr has put first, and reads long ones (1,536 tokens for two). Every ordered pair is a model call, 870 a query "
    "at 30 documents. prp asks a similar question and sorts with it, which takes fewer calls.",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
graph, reference, scorer = labels.graph, labels.reference, partial(slate_ranker, METHOD)
#: Of a server, or of a model here with --prompt: in words.
asked = partial(worded, METHOD, "instupr-pairs")

TEMPLATE = (
    "Query: {query}\n\n{each}Context {label}: {document}{between}\n\n{end}\n\n"
    "Which context is more relevant to the query (A or B)?"
)
WORDS = ("▁A", "▁B")
MAX_LENGTH = 1536


def record(source: Source) -> Record:
    """How this checkpoint is asked; raises `BadData` when it is no T5 or its vocabulary lacks the letters."""
    return labels.t5_record(source, TEMPLATE, score="prob", labels="AB", words=WORDS, length=MAX_LENGTH)
