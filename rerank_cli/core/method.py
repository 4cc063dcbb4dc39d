"""The record each file in `methods/` shows of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """A way of reranking: its literature name, what it answers, what it costs, where it comes from."""

    name: str
    #: What it is asked: "score" (a Scorer's pairs), "rate" (a ListScorer's whole list), or a Ranker's slates: "prefer" (which of
    #: two), "pick" (which is best), "order" (an order of all).
    asks: str
    summary: str
    paper: str
    #: Model calls for n documents of one query, as a formula people can read ("n", "n + 1").
    calls: str
    #: The scale of its raw scores: logit, margin, logprob, prob, grade, cosine, dot, maxsim, attention, blend, or rank (nothing
    #: but an order).
    score: str
    #: The ranking algorithm that its authors ran it with, and that algorithm's settings; empty for those that need none.
    strategy: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: One paragraph on what it is good for, for the manual and docs/methods.md.
    when: str = ""
