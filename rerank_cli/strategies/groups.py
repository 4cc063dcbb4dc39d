"""GroupRank: groups of documents rated side by side, in several shufflings, a document's score the mean of its ratings.

Seen beside others a document is rated on a steadier scale than alone, and no order has to be written. All groups are asked at
once; another shuffling puts each document into other company.
"""

from __future__ import annotations

import math

import numpy as np

from rerank_cli.aggregation.rules import completed
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

_WINDOW, _PASSES = 10, 2


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Shuffle, cut into groups of `window` that begin every `step`, and do so `passes` times; score by the mean rating.

    Groups that begin less than a window apart overlap. A NaN is no vote. A document without any vote scores one less than the
    lowest and so stands last, in the incoming order, as do equals; where nothing is known there are no scores.
    """
    everything = list(range(n))
    if n < 2:
        return Ranked(everything)
    window, step, passes = _shape(settings)
    groups: list[tuple[int, ...]] = []
    for _ in range(passes):
        shuffled = rng.permutation(n).tolist()
        groups += [tuple(shuffled[start : start + window]) for start in range(0, n, step)]
    answers = yield Round(groups, everything)
    position, rating = np.concatenate([np.array(group) for group in groups]), np.concatenate(answers)
    voted = ~np.isnan(rating)
    votes = np.bincount(position[voted], minlength=n)
    total = np.bincount(position[voted], rating[voted], minlength=n)
    scores = completed(np.divide(total, votes, out=np.full(n, np.nan), where=votes > 0))
    return Ranked(everything if scores is None else by_value(everything, scores), scores)


def _shape(settings: Settings) -> tuple[int, int, int]:
    """Documents a group, how far apart groups begin (a whole group by default and at most), and shufflings."""
    window = settings.window or _WINDOW
    return window, min(settings.step or window, window), settings.passes or _PASSES


def count(n: int, settings: Settings) -> int:
    """Groups of all shufflings."""
    _, step, passes = _shape(settings)
    return passes * math.ceil(n / step) if n > 1 else 0


STRATEGY = Strategy(
    name="groups",
    asks="rate",
    summary="shuffled groups rated side by side, the mean of several shufflings",
    paper="Sun, Long, Yang et al., GroupRank: A Groupwise Reranking Paradigm Driven by Reinforcement Learning, arXiv:2511.11653",
    calls="r⌈n/s⌉, r = --passes, s = --step, a whole group by default",
    run=run,
    count=count,
    defaults=Settings(window=_WINDOW, passes=_PASSES),
    reads=("window", "step", "passes"),
    when=(
        "For models that give absolute grades to a handful of documents (GroupRank, REBEL). Everything is asked "
        "at once, so it is as quick as the server is wide; a second shuffling evens out what the first group was "
        "like."
    ),
)
