"""A window that slides from the end of the list to its head: how a listwise model ranks more than it can read.

Each window is put in order in its own slots, and the next begins `step` places higher, so the best window − step documents
of all that were seen travel to the head. One pass therefore puts window − step documents right, and each further
pass as many again. Implementations differ in what becomes of a head shorter than a step: here it is read, as the last,
shorter window.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

WINDOW, PASSES = 20, 1


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Put every window of every pass in order, one after the other."""
    order = list(range(n))
    for begin, end in windows(n, settings) * (settings.passes or PASSES):
        seen = order[begin:end]
        values = (yield Round([tuple(seen)], list(order)))[0]
        order[begin:end] = by_value(seen, values)
    return Ranked(order)


def windows(n: int, settings: Settings) -> list[tuple[int, int]]:
    """The windows of one pass in the order they are read, as (begin, end); raises `WrongUsage` for a gap between windows.

    1 when n <= window, else 1 + ceil((n - window)/step), less a last one that would hold a single document. With
    `compat` "rankgpt" a window must be whole: a list shorter than one is never read, and a head shorter than a step stays.
    """
    window = settings.window or WINDOW
    step = settings.step or max(1, window // 2)
    if window < 2 or step > window:
        raise WrongUsage(
            f"a window of {window} that moves by {step} leaves documents out",
            "give a window of 2 or more and a step up to it",
        )
    if settings.compat == "rankgpt":
        return [(end - window, end) for end in range(n, window - 1, -step)]
    found, end = [], n
    while end > 1:
        found.append((max(0, end - window), end))
        end = end - step if end > window else 0
    return found


STRATEGY = Strategy(
    name="sliding",
    asks="order",
    summary="windows put in order from the end of the list to its head",
    paper="Sun et al., Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking Agents, arXiv:2304.09542",
    calls="passes·(1 + ceil((n - window)/step)), or passes when n <= window",
    run=run,
    count=lambda n, settings: len(windows(n, settings)) * (settings.passes or PASSES),
    defaults=Settings(window=WINDOW, step=WINDOW // 2, passes=PASSES),
    reads=("window", "step", "passes", "compat"),
    compats=("rankgpt",),
    when=(
        "What listwise papers run: 9 questions for a hundred documents, one after the other. One pass brings the "
        "best window - step documents to the top and leaves the rest roughly sorted; a second pass helps noisy "
        "models and doubles the price."
    ),
)
