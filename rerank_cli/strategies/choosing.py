"""The best document of a group: by one slate, or by duels where a model compares only two.

A sorting algorithm needs nothing else of a model, so heapsort and bubblesort with slates are setwise reranking and the
same two with duels are pairwise reranking. A duel in one order alone favours the document that stands first (or second);
`orders` says what is done about it, both orders being asked in one round:
"once" asks the one that stands against its challenger; "both" asks both orders, and the challenger must win both;
"calibrated" compares how sure the model was of each when it stood first.
For a model that tells no more than "prefer" whoever runs the algorithm sets `orders`; where it is None, slates are asked.

Of equals, and where nothing is known, the one that came first in the incoming list is taken, wherever it stands now: a
sort that moves documents about is stable all the same, and a reply that could not be read moves nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from rerank_cli.strategies.strategy import Round, Settings, best_of

Group = tuple[int, ...]


def choose(
    groups: Sequence[Group], best: list[int], settings: Settings
) -> Generator[Round, list[np.ndarray], list[int]]:
    """The place of the best in each group of two or more, asked about side by side.

    Questions: `questions_of` for each group. Duels go from left to right, the winner meeting the next.
    """
    if settings.orders is None:
        answers = yield Round(list(groups), best)
        return [_of_slate(group, values) for group, values in zip(groups, answers)]
    standing = [0] * len(groups)
    for place in range(1, max(map(len, groups))):
        matched = [at for at, group in enumerate(groups) if place < len(group)]
        duels: list[Group] = [(groups[at][standing[at]], groups[at][place]) for at in matched]
        if settings.orders == "once":
            answers = yield Round(duels, best)
            won = [_of_slate(duel, values) == 1 for duel, values in zip(duels, answers)]
        else:
            answers = yield Round([order for duel in duels for order in (duel, duel[::-1])], best)
            rule = _agreed if settings.orders == "both" else _surer
            won = [rule(duel, *both) for duel, both in zip(duels, zip(answers[::2], answers[1::2]))]
        for at, challenger_won in zip(matched, won):
            if challenger_won:
                standing[at] = place
    return standing


def questions_of(size: int, settings: Settings) -> int:
    """The questions that choosing from a group of `size` documents takes."""
    if size < 2 or settings.orders is None:
        return int(size > 1)
    return (size - 1) * (1 if settings.orders == "once" else 2)


def _of_slate(group: Group, values: np.ndarray) -> int:
    """The place of the highest value, of equals the one that came first."""
    incoming = sorted(range(len(group)), key=group.__getitem__)
    return incoming[best_of(values[incoming])]


def _agreed(duel: Group, standing_first: np.ndarray, challenger_first: np.ndarray) -> bool:
    """Whether the challenger won in both orders; when neither order tells anything, whether it came first."""
    margins = standing_first[1] - standing_first[0], challenger_first[0] - challenger_first[1]
    told = any(margin > 0 or margin < 0 for margin in margins)
    return all(margin > 0 for margin in margins) if told else duel[1] < duel[0]


def _surer(duel: Group, standing_first: np.ndarray, challenger_first: np.ndarray) -> bool:
    """Whether the model was surer of the challenger, when it stood first, than of the other when that did."""
    margin = challenger_first[0] - standing_first[0]
    return bool(margin > 0) if margin > 0 or margin < 0 else duel[1] < duel[0]
