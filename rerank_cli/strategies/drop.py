"""ListConRanker's iterative drop: rate the whole list, leave out the worst, rate the rest again.

A document's rating depends on the list it is in, and a list with less that is irrelevant in it is rated better. What is
dropped keeps its last rating; each round's ratings count one more than those of the round before, so that ratings
between 0 and 1 make one scale.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

#: A list this short is rated for the last time; a round drops a fifth, but this many at least.
ENOUGH, AT_LEAST = 20, 10


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Ask about all that are left, drop the worst and all equal to the best of these, until few are left."""
    left, dropped, scores = list(range(n)), list[int](), np.zeros(n)
    rounds = 0
    while len(left) > 1:
        values = (yield Round([tuple(left)], [*left, *dropped]))[0]
        scores[left] = values + rounds
        order = by_value(left, values)
        keep = len(left) - _dropped(len(left)) if len(left) > ENOUGH else 0
        last = scores[order[keep]]
        while keep and scores[order[keep - 1]] == last:
            keep -= 1
        left, dropped, rounds = sorted(order[:keep]), [*order[keep:], *dropped], rounds + 1
    # One that is left alone is above all others without a question.
    scores[left] += 1
    order = [*left, *dropped]
    # Ratings of another scale do not add up to the order, and are left out.
    ranked = scores[order]
    return Ranked(order, scores if n > 1 and bool(np.all(ranked[:-1] >= ranked[1:])) else None)


def count(n: int, settings: Settings) -> int:
    """The questions when no two ratings are equal."""
    questions = int(n > 1)
    while n > ENOUGH:
        n, questions = n - _dropped(n), questions + 1
    return questions


def _dropped(size: int) -> int:
    return max(AT_LEAST, -(-size // 5))


STRATEGY = Strategy(
    name="drop",
    asks="order",
    summary="the whole list rated, its worst fifth dropped, the rest rated again",
    paper="Liu, Ma, Zhao, Li and Yang, ListConRanker: A Contrastive Text Reranker with Listwise Encoding, arXiv:2501.07111",
    calls="1 + the rounds that drop max(10, n/5) until 20 are left; n = 100: 7",
    run=run,
    count=count,
    exact=False,
    when=(
        "For models that rate a list and do it better when the list is short: what is clearly bad goes first, and "
        "the rest is looked at again."
    ),
)
