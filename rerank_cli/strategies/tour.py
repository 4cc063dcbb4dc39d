"""TourRank: tournaments in stages, like a world cup; who goes further has more points, and many tournaments are added up.

Each stage deals the documents that are left into groups, the model names the best half (or two fifths) of every group,
and each of those gets a point. A hundred go 100, 50, 20, 10, 5, 2; any other number shrinks by the same ratios. A group
gets every G-th document, so that each has strong and weak ones, and is shuffled. The points of one tournament tie in
large groups, and it is the model's changing its mind with the order of the documents that tells these apart over several:
a model that does not mind their order says the same in every tournament.
"""

from __future__ import annotations

from itertools import chain

import numpy as np

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

WINDOW, PASSES = 20, 10
#: The share of the documents that goes on, stage after stage and again from the first, and a group's share of the window.
RATIOS = ((1, 2, 1), (2, 5, 2), (1, 2, 1))


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Hold all tournaments at once, stage by stage; the scores are the points."""
    points = np.zeros(n)
    left = [list(range(n)) for _ in range(settings.passes or PASSES)]
    for groups, going_on in stages(n, settings):
        dealt = [[int(one) for one in rng.permutation(some[at::groups])] for some in left for at in range(groups)]
        answers = yield Round([tuple(group) for group in dealt], by_value(range(n), points))
        chosen = [
            # The first groups send one more on where they cannot all send as many.
            _chosen(group, values, len(range(at % groups, going_on, groups)))
            for at, (group, values) in enumerate(zip(dealt, answers))
        ]
        left = [sorted(chain.from_iterable(chosen[at : at + groups])) for at in range(0, len(chosen), groups)]
        for some in left:
            points[some] += 1
    return Ranked(by_value(range(n), points), points)


def _chosen(group: list[int], values: np.ndarray, going_on: int) -> list[int]:
    """The best of a group; equals and those that nothing is known of in the incoming order, not as they were shuffled."""
    order = np.argsort(group)
    return by_value([group[at] for at in order], values[order])[:going_on]


def stages(n: int, settings: Settings) -> list[tuple[int, int]]:
    """The stages of one tournament: (groups, documents that go on), until two are left, or one of two."""
    window = settings.window or WINDOW
    if window < 3:
        raise WrongUsage(f"groups of {window} are too small for a tour", "give a window of 3 or more")
    found: list[tuple[int, int]] = []
    enough = 1 if n == 2 else 2
    while n > enough:
        part, of, smaller = RATIOS[len(found) % len(RATIOS)]
        going_on = -(-n * part // of)
        found.append((-(-n // max(3, window // smaller)), going_on))
        n = going_on
    return found


STRATEGY = Strategy(
    name="tour",
    asks="order",
    summary="tournaments in stages with a point for each stage reached, several added up",
    paper="Chen et al., TourRank: Utilizing Large Language Models for Documents Ranking with a Tournament-Inspired Strategy, "
    "arXiv:2406.11678",
    calls="passes·(n/window for each stage, from n to n/2, n/5, n/10, … 2); n = 100, window 20: 13·passes",
    run=run,
    count=lambda n, settings: sum(groups for groups, _ in stages(n, settings)) * (settings.passes or PASSES),
    defaults=Settings(window=WINDOW, passes=PASSES),
    reads=("window", "passes"),
    when=(
        "Ten small tournaments vote, so that it is robust against a model that depends on the order of its "
        "passages, for 130 questions a query. Most of them can be asked at once."
    ),
)
