"""Top k by passes from the bottom up, each of which brings the best of what is left to its place: PRP's sliding-K.

A window of fanout + 1 documents moves up from the end; its best changes places with its first, and the next window begins
with what that one ended on. All passes use the same windows, so a pass may follow two windows behind the one before it and
see exactly what it would have seen after it: hundreds of questions in a row become tens of rounds.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.strategies.choosing import choose, questions_of
from rerank_cli.strategies.strategy import Asking, Ranked, Settings, Strategy, with_rest

#: Challengers in a window, where a slate tells the best and where duels do.
SLATE, DUELS = 3, 1


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Settle the places 0, 1, … `top` - 1 one after the other; all others keep their order."""
    order, passes = list(range(n)), _passes(n, settings)
    # Window `step` of pass `place` is asked about at tick 2·place + step.
    for tick in range(max((2 * place + len(windows) for place, windows in enumerate(passes)), default=0)):
        turns = [(windows, tick - 2 * place) for place, windows in enumerate(passes)]
        now = [windows[step] for windows, step in turns if 0 <= step < len(windows)]
        if not now:
            continue
        places = yield from choose([tuple(order[at] for at in window) for window in now], list(order), settings)
        for window, place in zip(now, places):
            order[window[0]], order[window[place]] = order[window[place]], order[window[0]]
    return Ranked(with_rest(order[: settings.top], n))


def count(n: int, settings: Settings) -> int:
    """The questions of all windows of all passes."""
    return sum(questions_of(len(window), settings) for windows in _passes(n, settings) for window in windows)


def _passes(n: int, settings: Settings) -> list[list[range]]:
    """The windows of each pass from the bottom up, the last cut off at the place that the pass settles."""
    fanout = settings.fanout or (SLATE if settings.orders is None else DUELS)
    return [
        [range(max(place, end - fanout), end + 1) for end in range(n - 1, place, -fanout)]
        for place in range(min(settings.top, n - 1))
    ]


STRATEGY = Strategy(
    name="bubblesort",
    asks="pick",
    summary="top passes from the bottom up, the best of each window moving to its front",
    paper="Qin et al., Large Language Models are Effective Text Rankers with Pairwise Ranking Prompting, arXiv:2306.17563; "
    "with slates: Zhuang, Zhuang, Koopman and Zuccon, arXiv:2310.09497",
    calls="sum of ceil((n - 1 - t)/fanout) for t = 0 … top - 1; duels: sum of n - 1 - t, twice that in both orders",
    run=run,
    count=count,
    defaults=Settings(fanout=SLATE),
    reads=("top", "fanout", "orders"),
    when=(
        "Exact for the top k, and steadier than a heap when answers are noisy, because a good document is "
        "compared many times on its way up. It costs more questions than heapsort; where only the first few "
        "places matter (--top 3) the two are close."
    ),
)
