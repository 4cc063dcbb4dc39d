"""Rank-R1: a model that reasons about twenty documents and names the best one; heapsort asks it until the first ten are known."""

from __future__ import annotations

import functools

from rerank_cli.core.method import Method
from rerank_cli.methods.words.worded import worded

METHOD = Method(
    name="rank-r1",
    asks="pick",
    summary="a model reasons about up to 20 documents and names the most relevant",
    paper="Zhuang, Ma, Koopman, Lin and Zuccon, Rank-R1: Enhancing Reasoning in LLM-based Document Rerankers via Reinforcement Learning, arXiv:2503.06034",
    calls="about 23 for the first 10 of 100",
    score="rank",
    strategy="heapsort",
    settings={"fanout": 19},
    when="For questions whose answer has to be worked out, when only the first few places matter: each call writes up to two "
    "thousand tokens of reasoning, which --explain keeps. Documents are shuffled in every question, so nothing is gained "
    "by a server's prefix cache. A listwise reasoner gives a whole order for the same number of words.",
)
asked = functools.partial(worded, METHOD, "rank-r1")
