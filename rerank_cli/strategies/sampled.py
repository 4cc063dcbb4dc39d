"""A part of all pairs, drawn or laid out evenly: about a third of the comparisons orders nearly as well as all of them.

Three ways of choosing who meets whom. `sampled` draws opponents; `neighbourhood` compares each document with the next few,
round the circle, so the last meet the first; `skip-window` takes wider steps, so that documents meet across the whole list.
The duels are asked in turns, one more opponent for everybody, so that any first part of them is even too.
"""

from __future__ import annotations

import numpy as np

from rerank_cli.strategies.allpairs import circle, duels
from rerank_cli.strategies.strategy import Asking, Settings, Strategy

_PAPER = "Gienapp, Fröbe, Hagen and Potthast, Sparse Pairwise Re-ranking with Pre-trained Transformers, ICTIR 2022"
_RULE = "bradley-terry"
_STEP = 3


def opponents(n: int, settings: Settings) -> int:
    """How many others each document is presented before: `pairs`, a third of the others by default, at most all of them."""
    return min(max((n - 1) // 3, 1) if settings.pairs is None else settings.pairs, max(n - 1, 0))


def steps(n: int, settings: Settings) -> list[int]:
    """How far on round the circle the opponents of `skip-window` stand: multiples of `step`, each once, never the document itself.

    A step of whole circles, which would compare nothing, is taken for one place.
    """
    if n < 2:
        return []
    gap = (settings.step or _STEP) % n or 1
    far = dict.fromkeys(gap * turn % n for turn in range(1, opponents(n, settings) + 1))
    return [step for step in far if step]


def drawn(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Compare each document with others drawn at random, itself presented first."""
    count = opponents(n, settings)
    second = np.empty((count, n), dtype=np.int64)
    for one in range(n if count else 0):
        others = rng.choice(n - 1, count, replace=False)
        second[:, one] = others + (others >= one)
    first = np.tile(np.arange(n), count)
    return (yield from duels(n, first, second.ravel(), settings.filled(aggregate_by=_RULE), rng))


def neighbourhood(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Compare each document with those that follow it round the circle, itself presented first."""
    return _laid_out(n, list(range(1, opponents(n, settings) + 1)), settings, rng)


def skip_window(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Compare each document with those that stand whole steps further on round the circle, itself presented first."""
    return _laid_out(n, steps(n, settings), settings, rng)


def _laid_out(n: int, far: list[int], settings: Settings, rng: np.random.Generator) -> Asking:
    """`ascending` is the reference's circle, which begins with the worst document: whoever stands lower is presented first."""
    signed = [-step for step in far] if settings.compat == "ascending" else far
    return (yield from duels(n, *circle(n, signed), settings.filled(aggregate_by=_RULE), rng))


STRATEGIES = [
    Strategy(
        name="sampled",
        asks="prefer",
        summary="each document against some others, drawn at random",
        paper=_PAPER,
        calls="nm, m = --pairs, (n - 1)/3 by default",
        run=drawn,
        count=lambda n, settings: n * opponents(n, settings),
        defaults=Settings(aggregate_by=_RULE),
        reads=("pairs", "aggregate_by"),
        when=(
            "A third of all comparisons, drawn at random, rank about as well as all of them; give --pairs to pay "
            "for fewer. The rule matters now: bradley-terry takes into account whom a document met."
        ),
    ),
    Strategy(
        name="neighbourhood",
        asks="prefer",
        summary="each document against the next few, round the circle",
        paper=_PAPER,
        calls="nm, m = --pairs, (n - 1)/3 by default",
        run=neighbourhood,
        count=lambda n, settings: n * opponents(n, settings),
        defaults=Settings(aggregate_by=_RULE),
        reads=("pairs", "aggregate_by", "compat"),
        compats=("ascending",),
        when=(
            "Compares each document with those near it in the first stage's order, where most of the doubt is. As "
            "cheap as sampled; better where the first stage is good, worse where it is not."
        ),
    ),
    Strategy(
        name="skip-window",
        asks="prefer",
        summary="each document against a few others at even steps, round the circle",
        paper=_PAPER,
        calls="nm, m = --pairs, (n - 1)/3 by default, less the steps round the circle that repeat",
        run=skip_window,
        count=lambda n, settings: n * len(steps(n, settings)),
        defaults=Settings(aggregate_by=_RULE, step=_STEP),
        reads=("pairs", "step", "aggregate_by", "compat"),
        compats=("ascending",),
        when=(
            "Steps over the near neighbours, so that few comparisons tie the whole list together: the choice when "
            "only a handful for each document can be paid for."
        ),
    ),
]
