"""JointRank: overlapping blocks, all ordered at once; the pairs that each order implies are joined to one order of everything.

Windows that slide must wait for one another. Blocks need not: whatever the length of the list, the answer takes as long as one
question, and a document that is in two blocks ties their orders together. What `designs` lays out is which block holds whom.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rerank_cli.aggregation.pairs import block_wins
from rerank_cli.aggregation.rules import by_wins, completed, rule_named
from rerank_cli.strategies import designs
from rerank_cli.strategies.designs import Block
from rerank_cli.strategies.strategy import Asking, Ranked, Round, Settings, Strategy, by_value

_DEFAULTS = Settings(window=20, passes=2, aggregate_by="pagerank")

#: `design(n, size of a block, replicas, rng)`.
Design = Callable[[int, int, int, np.random.Generator], list[Block]]


def run(n: int, settings: Settings, rng: np.random.Generator, design: Design) -> Asking:
    """Ask all blocks of a design in one round and aggregate the wins in them.

    A document that a model leaves out of its answer loses to those it names; a block of which nothing is known counts for
    nothing. Who was compared nowhere stands below all others, in the incoming order.
    Raises `WrongUsage` for a rule that there is not, before anything is asked.
    """
    rule = rule_named(settings.aggregate_by or _DEFAULTS.aggregate_by or "")
    everything = list(range(n))
    if n < 2:
        return Ranked(everything)
    blocks = design(n, *_shape(n, settings), rng)
    answers = yield Round(blocks, everything)
    scores = completed(by_wins(rule, block_wins(n, blocks, answers), rng))
    return Ranked(everything if scores is None else by_value(everything, scores), scores)


def _shape(n: int, settings: Settings) -> tuple[int, int]:
    """Documents a block, from 2 to n, and replicas."""
    settings = settings.filled(window=_DEFAULTS.window, passes=_DEFAULTS.passes)
    return max(min(settings.window or 0, n), 2), settings.passes or 0


def chosen(n: int, size: int, replicas: int, rng: np.random.Generator) -> list[Block]:
    """A Latin square for two replicas of size² documents, else blocks dealt."""
    return designs.latin(n) if n == size**2 and replicas == 2 else designs.dealt(n, size, replicas, rng)


def count(n: int, settings: Settings) -> int:
    """Blocks of the designs that are drawn: ⌈rn/b⌉; one replica has also the blocks that link its parts."""
    if n < 2:
        return 0
    size, replicas = _shape(n, settings)
    if n <= size:
        return replicas
    blocks = math.ceil(replicas * n / size)
    if replicas > 1:
        return blocks
    return blocks - (n % size == 1) + math.ceil((blocks - 1) / (size - 1))


def _strategy(name: str, summary: str, calls: str, design: Design, **changed: object) -> Strategy:
    return Strategy(
        name=name,
        asks="order",
        summary=summary,
        paper="Dedov, JointRank: Rank Large Set with Single Pass, ICTIR 2025",
        calls=calls,
        run=lambda n, settings, rng: run(n, settings, rng, design),
        **{"count": count, "defaults": _DEFAULTS, "reads": ("window", "passes", "aggregate_by"), **changed},  # type: ignore[arg-type]
    )


_SQUARE = {"defaults": Settings(aggregate_by="pagerank"), "reads": ("aggregate_by",)}

STRATEGIES = [
    _strategy(
        "blocks",
        "blocks that overlap, all asked at once, each document in as many",
        "⌈rn/b⌉, r = --passes, b = --window; r = 1: and the blocks that link them",
        chosen,
    ),
    _strategy(
        "blocks-random",
        "blocks drawn at random, all asked at once",
        "⌈rn/b⌉, r = --passes, b = --window; r = 1: and the blocks that link them",
        designs.drawn,
    ),
    _strategy(
        "blocks-latin",
        "rows and columns of a square, all asked at once",
        "2⌈√n⌉ blocks of ⌈√n⌉ documents",
        lambda n, size, replicas, rng: designs.latin(n),
        count=lambda n, settings: len(designs.latin(n)),
        **_SQUARE,
    ),
    _strategy(
        "blocks-triangular",
        "rows of a symmetric table, any two of which share a document, all asked at once",
        "about √(2n) blocks of as many documents",
        lambda n, size, replicas, rng: designs.triangular(n),
        count=lambda n, settings: len(designs.triangular(n)),
        **_SQUARE,
    ),
]
