"""Oracles that answer a ranking algorithm's questions, and a driver that counts them and checks what must always hold.

An oracle takes a question (a tuple of positions) and gives a number for each of them, as a model of some kind would:
"order" m, m-1, … 1; "pick" 1 for the best and 0 for the others; "prefer" 1 and 0, or a half each; "rate" its gains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from rerank_cli.strategies import Settings, Strategy

Kind = Literal["prefer", "pick", "order", "rate"]
Question = tuple[int, ...]
Oracle = Callable[[Question], np.ndarray]


def shuffled_gains(n: int, seed: int = 0) -> list[int]:
    """Different gains in no order: which position is how good."""
    return [int(gain) for gain in np.random.default_rng(seed).permutation(n)]


def ideal(gains: Sequence[float]) -> list[int]:
    """Positions from the best to the worst, equals as they came."""
    return sorted(range(len(gains)), key=lambda position: -gains[position])


def told(gains: np.ndarray, kind: Kind) -> np.ndarray:
    """What a model of a kind tells, that finds these gains in the documents of a question; the first of equals is better."""
    order = np.argsort(-gains, kind="stable")
    if kind == "rate":
        return gains
    if kind == "order":
        ranked = np.empty(len(gains))
        ranked[order] = np.arange(len(gains), 0, -1)
        return ranked
    if kind == "prefer":
        assert len(gains) == 2, f"a model that compares two documents was asked about {len(gains)}"
        return 0.5 + 0.5 * np.sign(gains - gains[::-1])
    return (np.arange(len(gains)) == order[0]).astype(float)


def perfect(gains: Sequence[float], kind: Kind = "order") -> Oracle:
    """Knows every position's gain."""
    return lambda question: told(np.array([gains[position] for position in question], float), kind)


def noisy(gains: Sequence[float], kind: Kind = "order", noise: float = 10.0, seed: int = 0) -> Oracle:
    """Knows the gains badly, and says another thing each time."""
    rng = np.random.default_rng(seed)
    return lambda question: told(np.array([gains[position] + noise * rng.normal() for position in question]), kind)


def cyclic(n: int, kind: Kind = "order") -> Oracle:
    """Each position beats the half of them that follow it, round the circle: no order is right."""

    def answer(question: Question) -> np.ndarray:
        beaten = [sum(0 < (other - one) % n <= n // 2 for other in question) for one in question]
        return told(np.array(beaten, float), kind)

    return answer


def constant(kind: Kind = "rate") -> Oracle:
    """Finds all equal."""
    return lambda question: told(np.ones(len(question)), kind)


def nothing(question: Question) -> np.ndarray:
    """A model whose words could not be read: nothing is known."""
    return np.full(len(question), np.nan)


def forgetful(gains: Sequence[float], kind: Kind = "order", seed: int = 0) -> Oracle:
    """Perfect, but leaves out each document of a question with one chance in three."""
    rng = np.random.default_rng(seed)
    knows = perfect(gains, kind)
    return lambda question: np.where(rng.random(len(question)) < 1 / 3, np.nan, knows(question))


@dataclass
class Driven:
    """What an algorithm asked, round by round, and what came of it."""

    rounds: list[list[Question]] = field(default_factory=list)
    #: The best order before each round.
    bests: list[list[int]] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    scores: np.ndarray | None = None

    @property
    def questions(self) -> list[Question]:
        """All questions in the order they were asked."""
        return [question for asked in self.rounds for question in asked]


def drive(strategy: Strategy, n: int, oracle: Oracle, settings: Settings | None = None, seed: int = 0) -> Driven:
    """Run an algorithm over n documents against an oracle.

    Checks that every order on the way and the last are permutations, that a question names different positions, that a
    round asks something, and that the number of questions is `strategy.count`'s, or at most that where it is not exact.
    """
    settings = settings or Settings()
    driven = Driven()
    asking = strategy.run(n, settings, np.random.default_rng(seed))
    everything = list(range(n))
    answers: list[np.ndarray] | None = None
    while True:
        try:
            # A generator is started with None.
            asked = asking.send(answers) if answers is not None else next(asking)
        except StopIteration as end:
            driven.order, driven.scores = end.value
            break
        assert sorted(asked.best) == everything, f"not an order of all {n} on the way: {asked.best}"
        assert asked.questions, "a round that asks nothing"
        for question in asked.questions:
            assert question and len(set(question)) == len(question) and set(question) <= set(everything), question
        driven.rounds.append(list(asked.questions))
        driven.bests.append(list(asked.best))
        answers = [oracle(question) for question in asked.questions]
    assert sorted(driven.order) == everything, f"not an order of all {n}: {driven.order}"
    assert driven.scores is None or driven.scores.shape == (n,)
    asked_in_all, counted = len(driven.questions), strategy.count(n, settings)
    if strategy.exact:
        assert asked_in_all == counted, f"{strategy.name} asked {asked_in_all} questions and says {counted}"
    else:
        assert asked_in_all <= counted, f"{strategy.name} asked {asked_in_all} questions and says {counted} at most"
    return driven
