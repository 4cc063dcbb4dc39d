"""PairDistill's teacher: duels between neighbours of a list, asked in one order.

Its authors distil the duels into a retriever; here they rank. A document meets the few that stand next to it in the
incoming order, which is where the incoming order is least sure. The teacher is a FLAN-T5 that answers A or B, or duoT5 with
the words that it was trained with: the catalogue's entries say which.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rerank_cli.core.method import Method
from rerank_cli.methods import duot5, instupr_pairs, labels
from rerank_cli.methods.graphs.t5_decoder import PRECISIONS as PRECISIONS
from rerank_cli.methods.slates import slate_ranker
from rerank_cli.methods.words.worded import worded

if TYPE_CHECKING:
    from rerank_cli.methods.exported import Record
    from rerank_cli.methods.source import Source

METHOD = Method(
    name="pairdistill",
    asks="prefer",
    summary="asks a T5 which of two neighbours in the list is the more relevant",
    paper="Huang and Chen, PairDistill: Pairwise Relevance Distillation for Dense Retrieval, arXiv:2410.01383",
    calls="5 × n",
    score="prob",
    strategy="neighbourhood",
    settings={"pairs": 5},
    when="The cheapest pairwise method: each document meets its five neighbours once, so the calls grow with the list and "
    "not with its square. It mends an order that is nearly right, such as another reranker's, and cannot bring up a document "
    "that stands far down. Use duot5 or prp when the incoming order is a first stage's.",
)
MODEL_CLASS = "AutoModelForSeq2SeqLM"
MAY_LACK: tuple[str, ...] = ()
FUSION: str | None = None
graph, reference, scorer = labels.graph, labels.reference, partial(slate_ranker, METHOD)
#: Of a server, or of a model here with --prompt: in words.
asked = partial(worded, METHOD, "pairdistill")

TEMPLATE = (
    "Which document is more relevant to the query? Answer only 'A' or 'B'.\n\n"
    "Query: {query}\n\n{each}Document {label}: {document}{between}\n\n{end}"
)
MAX_LENGTH = 512


def record(source: Source) -> Record:
    """How this checkpoint is asked, by its entry's words; raises `BadData` when it is no T5 or its vocabulary lacks them."""
    if source.checkpoint.words == duot5.WORDS:
        return duot5.record(source)
    return labels.t5_record(source, TEMPLATE, score="prob", labels="AB", words=instupr_pairs.WORDS, length=MAX_LENGTH)
