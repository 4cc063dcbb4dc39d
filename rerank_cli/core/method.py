"""The record each file in `methods/` shows of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A way of reranking: its literature name, what it answers, what it costs, where it comes from."""

    name: str
    #: The protocol it implements: "score" (Scorer), "rate" (ListScorer); pairwise, setwise and listwise kinds come with their strategies.
    asks: str
    summary: str
    paper: str
    #: Model calls for n documents of one query, as a formula people can read ("n", "n + 1").
    calls: str
    #: The scale of its raw scores: logit, margin, logprob, prob, grade, cosine, dot, maxsim or blend.
    score: str
