"""ListT5's tournament: groups of m send their best r on, until one document has won; then again without it.

A group that was asked about is never asked again, so after the first tournament only the groups on the winner's way
through it are new. For that the groups must stay as they are: the winner's slot is filled by a stand-in, a document
that is also elsewhere in the list, and everyone else keeps its slot.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

import numpy as np

from rerank_cli.errors import WrongUsage
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value, with_rest

WINDOW, WINNERS = 5, 2
#: How far behind the winner its stand-in is taken from.
STAND_IN = 21

#: What is known of the groups that were asked about: their documents, best first.
Known = dict[frozenset[int], list[int]]


def run(n: int, settings: Settings, rng: np.random.Generator) -> Asking:
    """Hold a tournament for each of the first `top` places; one question when a group holds the whole list."""
    window, winners = _sizes(settings)
    if n <= window:
        slots = list(range(n))
        return Ranked(by_value(slots, (yield Round([tuple(slots)], slots))[0]) if n > 1 else slots)
    slots, found, known = list(range(n)), list[int](), Known()
    while len(found) < min(settings.top, n):
        winner = yield from _tournament(slots, found, known, window, winners)
        found.append(winner)
        if len(found) < n:
            _stand_in(slots, winner, found)
    return Ranked(with_rest(found, n))


def _tournament(
    slots: list[int], found: list[int], known: Known, window: int, winners: int
) -> Generator[Round, list[np.ndarray], int]:
    """The winner among the slots; all groups of a level are asked about side by side."""
    level, n = slots, len(slots)
    while True:
        groups = [_filled(level[at : at + window], level, window) for at in range(0, len(level), window)]
        yield from _learn(groups, known, with_rest([*found, *sorted(level)], n))
        # The best goes on last, as the model names them.
        through = [one for group in groups for one in known[group][:winners][::-1]]
        if len(through) <= window:
            break
        level = through
    final = _filled(through, level, window) if len(set(through)) > 1 else frozenset(through)
    yield from _learn([final], known, with_rest([*found, *sorted(through)], n))
    return known[final][0]


def _filled(group: list[int], level: list[int], window: int) -> frozenset[int]:
    """The documents of a group; a short one is filled with the first of its level that are not in it."""
    others = (one for one in level if one not in group)
    return frozenset([*group, *islice(others, window - len(group))])


def _learn(groups: list[frozenset[int]], known: Known, best: list[int]) -> Generator[Round, list[np.ndarray], None]:
    """Ask about the groups that nothing is known of, each in the incoming order; a single document needs no question."""
    known.update({group: list(group) for group in groups if len(group) == 1})
    new = [tuple(sorted(group)) for group in dict.fromkeys(groups) if group not in known]
    if new:
        answers = yield Round(new, best)
        known.update({frozenset(group): by_value(group, values) for group, values in zip(new, answers)})


def _stand_in(slots: list[int], winner: int, found: list[int]) -> None:
    """Fill the winner's slot, and those where it stood in for others, with a document that is still to be placed."""
    n = len(slots)
    other = next(one for step in range(n) if (one := (winner + STAND_IN + step) % n) not in found)
    slots[:] = [other if one == winner else one for one in slots]


def count(n: int, settings: Settings) -> int:
    """The questions of one tournament, as often as there are places: what it would be if no group came twice."""
    window, winners = _sizes(settings)
    size, questions = n, 1
    while size > window:
        groups = -(-size // window)
        size, questions = groups * winners, questions + groups
    return int(n > 1) if n <= window else questions * min(settings.top, n)


def _sizes(settings: Settings) -> tuple[int, int]:
    """Documents of a group and how many go on; raises `WrongUsage` when a tournament could not come to an end."""
    window, winners = settings.window or WINDOW, settings.winners or WINNERS
    if 2 * winners > window:
        raise WrongUsage(f"a group of {window} cannot send {winners} on", "at most half of a group may go on")
    return window, winners


STRATEGY = Strategy(
    name="tournament",
    asks="order",
    summary="groups send their best on until one has won, once for each place, no group asked twice",
    paper="Yoon et al., ListT5: Listwise Reranking with Fusion-in-Decoder Improves Zero-shot Retrieval, arXiv:2402.15838",
    calls="f = n/window + n·winners/window^2 + … + 1 for the first place, at most f for each next; "
    "n = 100, window 5, winners 2, top 10: 35, then about 6.5 each",
    run=run,
    count=count,
    exact=False,
    defaults=Settings(window=WINDOW, winners=WINNERS),
    reads=("top", "window", "winners"),
    when=(
        "Exact for the top k with small groups of five: the paths that do not change are never asked again. Made "
        "for ListT5; a good choice for any model that is reliable on short lists only."
    ),
)
