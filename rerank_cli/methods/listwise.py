"""Listwise prompting: a model reads a window of passages and writes their order.

One method for RankGPT and all that came after it. They differ in their words, in how a passage is cut, in whether the
model reasons first and in how its answer is read, and all of that is in prompt files.
"""

from __future__ import annotations

import functools

from rerank_cli.core.method import Method
from rerank_cli.methods.words.worded import worded

METHOD = Method(
    name="listwise",
    asks="order",
    summary="asks a model that writes for the order of a window of passages",
    paper="Sun et al., Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking Agents, arXiv:2304.09542",
    calls="1 + ceil((n - 20) / 10)",
    score="rank",
    strategy="sliding",
    settings={"window": 20, "step": 10},
    when="The best order that a large model can give for few calls: nine for 100 passages, each as long as twenty passages and "
    "a list of numbers. Models that reason first (ReasonRank, REARANK, Rank-K) write hundreds to thousands of words a call and "
    "pay off on questions that need thought. Windows of one query wait for each other; for less waiting use blocks or "
    "groups, for a fixed price per document a pointwise model.",
)
#: The words that any chat model is asked with.
asked = functools.partial(worded, METHOD, "rankgpt")
