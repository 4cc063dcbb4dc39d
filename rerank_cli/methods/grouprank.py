"""GroupRank: a model scores every document of a group from 0 to 10, beside each other, and groups are dealt anew and averaged."""

from __future__ import annotations

import functools

from rerank_cli.core.method import Method
from rerank_cli.methods.words.worded import worded

METHOD = Method(
    name="grouprank",
    asks="rate",
    summary="a model reasons about ten documents together and scores each from 0 to 10",
    paper="Sun et al., GroupRank: A Groupwise Reranking Paradigm Driven by Reinforcement Learning, arXiv:2511.11653",
    calls="2 * ceil(n / 10)",
    score="grade",
    strategy="groups",
    settings={"window": 10, "step": 10, "passes": 2},
    when="The comparison of a listwise model with the independence of a pointwise one: no call waits for another, so a busy "
    "server answers a query in the time of one call. Scores are whole numbers and tie often; equals keep the first stage's "
    "order, and a fusion with the first stage (0.6 to 0.4) parts them as its authors do.",
)
asked = functools.partial(worded, METHOD, "grouprank")
