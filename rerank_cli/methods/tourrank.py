"""TourRank: documents play stages like teams, and a model says which of a group go on to the next; the points of several tours add up."""

from __future__ import annotations

import functools

from rerank_cli.core.method import Method
from rerank_cli.methods.words.worded import worded

METHOD = Method(
    name="tourrank",
    asks="order",
    summary="a model says which half of a group of documents goes on to the next stage",
    paper="Chen et al., TourRank: Utilizing Large Language Models for Documents Ranking with a Tournament-Inspired Strategy, arXiv:2406.11678",
    calls="13 a tour of 100, 10 tours",
    score="rank",
    strategy="tour",
    settings={"passes": 10},
    when="Robust against a poor first order, because every document plays in small groups and several tours are added up; tours "
    "do not wait for each other. Ten tours are 130 calls for 100 documents, two give most of it. A sliding window needs nine "
    "calls, but they wait for each other.",
)
asked = functools.partial(worded, METHOD, "tourrank")
