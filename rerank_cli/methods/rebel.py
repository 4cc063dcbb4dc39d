"""REBEL: relevance is not all: a model gives six scores to each document of a batch, and the program adds them up.

The final score is the relevance (0 to 10) and half the sum of depth, diversity, clarity, authoritativeness and recency (0 to
5 each); equals are parted by authoritativeness, and what is not relevant (under 3) stands below everything that is. Asked
in our own words: no checkpoint was trained on others.
"""

from __future__ import annotations

import functools

from rerank_cli.core.method import Method
from rerank_cli.methods.words.worded import worded

METHOD = Method(
    name="rebel",
    asks="rate",
    summary="a model scores ten documents on relevance and five other criteria, which are added up",
    paper="LeVine and Varjavand, Relevance Isn't All You Need: Scaling RAG Systems With Inference-Time Compute Via Multi-Criteria Reranking, arXiv:2504.07104",
    calls="ceil(n / 10)",
    score="grade",
    strategy="groups",
    settings={"window": 10, "step": 10, "passes": 1},
    when="For retrieval that feeds a writer of answers: documents that are deep, clear and to be trusted are preferred among the "
    "relevant ones, which can cost a little nDCG. Ten documents a call, no call waits for another; scores of different batches "
    "are the model's own and not calibrated. Other criteria are a prompt file away.",
)
asked = functools.partial(worded, METHOD, "rebel")
