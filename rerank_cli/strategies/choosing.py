"""The best document of a group: by one slate, or by duels where a model compares only two.

A sorting algorithm needs nothing else of a model, so heapsort and bubblesort with slates are setwise reranking and the
same two with duels are pairwise reranking. A duel in one order alone favours the document that stands first (or second);
`orders` says what is done about it, both orders being asked in one round:
"once" asks the one that stands against its challenger; "both" asks both orders, and the challenger must win both;
"calibrated" compares how sure the model was of each when it stood first, and of equals takes the one that came first.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from rerank_cli.strategies.strategy import Round, Settings, best_of

Group = tuple[int, ...]


def choose(
    groups: Sequence[Group], best: list[int], settings: Settings
) -> Generator[Round, list[np.ndarray], list[int]]:
    """The best of each group, asked about side by side; the first of a group stands when nothing is known.

    One question a group of two or more, or `questions_of` when `settings.orders` is set.
    """
    if settings.orders is None:
        answers = yield Round(list(groups), best)
        return [group[best_of(values)] for group, values in zip(groups, answers)]
    standing = [group[0] for group in groups]
    for place in range(1, max(map(len, groups), default=0)):
        open_ones = [at for at, group in enumerate(groups) if place < len(group)]
        duels = [(standing[at], groups[at][place]) for at in open_ones]
        if settings.orders == "once":
            answers = yield Round(duels, best)
            won = [values[1] > values[0] for values in answers]
        else:
            answers = yield Round([pair for one, other in duels for pair in ((one, other), (other, one))], best)
            rule = _agreed if settings.orders == "both" else _surer
            won = [rule(duel, *answers[2 * at : 2 * at + 2]) for at, duel in enumerate(duels)]
        for at, (_, challenger), challenger_won in zip(open_ones, duels, won):
            if challenger_won:
                standing[at] = challenger
    return standing


def questions_of(size: int, settings: Settings) -> int:
    """The questions that choosing from a group of `size` documents takes."""
    if size < 2 or settings.orders is None:
        return int(size > 1)
    return (size - 1) * (1 if settings.orders == "once" else 2)


def _agreed(duel: tuple[int, int], first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the challenger won in both orders."""
    return bool(first[1] > first[0] and second[0] > second[1])


def _surer(duel: tuple[int, int], first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the model was surer of the challenger, when it stood first, than of the other when that did."""
    tied_goes_to_challenger = duel[1] < duel[0]
    return bool(second[0] > first[0] or (tied_goes_to_challenger and not first[0] > second[0]))
