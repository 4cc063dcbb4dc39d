"""What a ranking algorithm is: a generator over positions that asks about groups of them and returns an order.

It sees no text and no model: 0..n-1 are the documents in the incoming order, a question is a tuple of them, an answer
is a number for each of them, higher is better. So one algorithm serves every model that can tell what it needs to
know, hundreds of queries are asked together, and an oracle tests it in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np

Kind = Literal["prefer", "pick", "order", "rate"]


class Round(NamedTuple):
    """Questions that do not depend on one another, and the best order of all positions known before their answers."""

    questions: list[tuple[int, ...]]
    best: list[int]


class Ranked(NamedTuple):
    """An algorithm's result: all positions, best first, and their scores by position (n,) where it makes some.

    A NaN among the scores is a document that the model was free to leave out and left out.
    """

    order: list[int]
    scores: np.ndarray | None = None


#: Yields rounds, is sent an array (m,) float64 for each question of the round (NaN: nothing is known of it), returns the result.
Asking = Generator[Round, list[np.ndarray], Ranked]


@dataclass(frozen=True)
class Settings:
    """What the algorithms can be told; each reads what it knows, None means its own default."""

    #: How many places must be right.
    top: int = 10
    #: Documents a question holds, and how far apart two windows begin.
    window: int | None = None
    step: int | None = None
    #: Times the whole schedule is run: passes, epochs, tournaments, replicas.
    passes: int | None = None
    #: Children of a node, challengers in a slate: a question holds one more.
    fanout: int | None = None
    #: Documents of a group that go on to the next.
    winners: int | None = None
    #: Opponents of each document when pairs are sampled.
    pairs: int | None = None
    #: The rule that makes one order from many answers.
    aggregate_by: str | None = None
    #: How two documents are compared: in one order, in both and both must agree, or in both and the surer wins.
    orders: Literal["once", "both", "calibrated"] | None = None
    #: A reference implementation whose schedule is followed, mistakes included.
    compat: str | None = None

    def filled(self, **defaults: Any) -> Settings:
        """These settings with `defaults` in place of what is None."""
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})

    @classmethod
    def names(cls) -> set[str]:
        """The settings there are."""
        return {field.name for field in fields(cls)}


@dataclass(frozen=True)
class Strategy:
    """A ranking algorithm: the record each file of this room shows as `STRATEGY`."""

    name: str
    #: The least a model must tell of a question: which of two, which is the best, an order of all, or a value for each
    #: on a scale that is the same in every question.
    asks: Kind
    summary: str
    paper: str
    #: Questions for n documents, as a formula people can read.
    calls: str
    #: `run(n, settings, rng)`: the generator.
    run: Callable[[int, Settings, np.random.Generator], Asking]
    #: `count(n, settings)`: the questions that `calls` gives, the most there can be where answers decide.
    count: Callable[[int, Settings], int]
    #: Whether `count` is the number whatever the answers are.
    exact: bool = True
    #: The settings it reads, with its defaults.
    defaults: Settings = Settings()
    reads: tuple[str, ...] = ()
    #: Names that `--compat` may have.
    compats: tuple[str, ...] = ()
    #: A few sentences on what it is good for, for docs/methods.md.
    when: str = ""


def by_value(positions: Sequence[int], values: np.ndarray) -> list[int]:
    """Positions from the highest value to the lowest; equals as they came, those that nothing is known of last, as they came."""
    keys = np.where(np.isnan(values), np.inf, -values)
    return [positions[at] for at in np.argsort(keys, kind="stable")]


def best_of(values: np.ndarray) -> int:
    """The place of the highest value, the first of equals; 0 when nothing is known."""
    return 0 if np.isnan(values).all() else int(np.nanargmax(values))


def with_rest(first: Sequence[int], n: int) -> list[int]:
    """These positions, then all others of 0..n-1 in their order; a position counts where it stands first."""
    return list(dict.fromkeys([*first, *range(n)]))
